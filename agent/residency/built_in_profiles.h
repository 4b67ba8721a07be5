// What was known of system profiles when this was written, for a host that may not ask the service,
// and to notice when the service says something else. Source: the tables of AWS's documentation,
// facts/bedrock.md §5.3.
//
// Destinations depend on the source Region: who is no source of a profile gets none. Where the
// facts name no destinations (us., apac., us-gov.) the profile is known by its name and
// `destinations` is empty: nothing is guessed. A prefix alone says something in three cases: "jp."
// and "au.", whose sets are the same for each model, and "global.", which claims no less than all
// there is.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "agent/residency/profile.h"

namespace invlog::residency {

// Null if nothing is known of `id` as called from `source_region`.
std::shared_ptr<const Profile> built_in_profile(std::string_view id,
                                                std::string_view source_region);

// Those that the table has by their whole ids, sorted by id.
std::vector<std::shared_ptr<const Profile>> built_in_profiles(std::string_view source_region);

}  // namespace invlog::residency

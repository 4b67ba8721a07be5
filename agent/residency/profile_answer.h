// Reads what Bedrock's control plane says of inference profiles: the answers of
// ListInferenceProfiles and GetInferenceProfile. Shapes: botocore's model of `bedrock`, and
// facts/bedrock.md §5.4.
//
// Where a call may go is read from the Regions in the model ARNs and from nothing else; an ARN
// without a Region means global routing. `models` may have more members than AWS's model says.
//
// Pure functions; any thread. Errors: an answer that is no such answer is an error with its place
// and cause. A profile in it that makes no sense is left out, with a problem that names it: the
// others are as good as they were.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/residency/profile.h"

namespace invlog::residency {

struct ProfilePage {
  std::vector<Profile> profiles;
  std::vector<std::string> problems;  // a line each, printable
  std::string next_token;             // "" at the last page
};

// What is asked for: the Region that is asked, and when.
struct AnswerContext {
  std::string_view source_region;
  std::int64_t now_us = 0;  // Unix time, µs
};

// Of ListInferenceProfiles.
tl::expected<ProfilePage, std::string> parse_profile_page(std::string_view json,
                                                          const AnswerContext& context);
// Of GetInferenceProfile.
tl::expected<Profile, std::string> parse_profile(std::string_view json,
                                                 const AnswerContext& context);

}  // namespace invlog::residency

// What the form of an inference profile's id says: not where a call goes, only what to look up.
//
// Pure functions; any thread; never throw.
#pragma once

#include <string_view>

namespace invlog::residency {

// Of system profiles' ids; facts/bedrock.md §5.1. There may be others.
inline constexpr std::string_view kProfilePrefixes[] = {"us", "eu", "apac",   "jp",
                                                        "au", "ca", "us-gov", "global"};

// Whether an id is that of a system profile by its form, prefix.vendor.model: also one with a
// prefix that nobody has heard of yet. A model's own id has its vendor first, and a dot after that
// is one of a version ("deepseek.v3.1").
bool looks_like_system_profile(std::string_view id);

// Whether `id` can be an inference profile's at all: [a-zA-Z0-9-:.]{1,64} (botocore, bedrock).
bool is_profile_id(std::string_view id);

// "eu" of "eu.amazon.nova-2-lite-v1:0", "" of an id without a prefix.
std::string_view prefix_of(std::string_view id);
// "amazon.nova-2-lite-v1:0" of "eu.amazon.nova-2-lite-v1:0".
std::string_view model_of(std::string_view id);

}  // namespace invlog::residency

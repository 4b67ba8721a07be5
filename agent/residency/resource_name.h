// An Amazon Resource Name in its parts: arn:partition:service:region:account:type/id.
//
// A view: what it was made of must outlive it. Pure; any thread; never throws.
#pragma once

#include <optional>
#include <string_view>

namespace invlog::residency {

struct ResourceName {
  std::string_view service;  // "bedrock"
  std::string_view region;   // "" for foundation models of a global profile
  std::string_view account;
  std::string_view type;  // "inference-profile"
  std::string_view id;    // what follows the type's '/', slashes included
};

// None if `text` has not that form.
std::optional<ResourceName> parse_resource_name(std::string_view text);

}  // namespace invlog::residency

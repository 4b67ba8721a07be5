// What is known of one inference profile: which models it serves and in which Regions the service
// may process what is sent to it from this source Region. Facts: bedrock.md §5.
//
// A plain value. The prefix of an id ("eu.") is never proof of anything; `destinations` is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::residency {

// How far a call may travel.
enum class Scope {
  unknown,     // nobody knows the profile
  in_region,   // processed in the source Region only
  geographic,  // in one of `destinations`
  global       // in any commercial Region
};
// "", "in-region", "geographic", "global".
std::string_view to_string(Scope scope);

struct Profile {
  enum class Kind { system, application };
  enum class Origin { built_in, service };

  std::string id;   // "eu.amazon.nova-2-lite-v1:0"; of an application profile "1arbu5hu2sjr"
  std::string arn;  // "" in the built-in table
  std::string name;
  Kind kind = Kind::system;
  Scope scope = Scope::unknown;
  // Prefix of the system profile ("eu", "us", "apac", ...), for an application profile that of what
  // it wraps; "" if there is none, as in-region, or it cannot be told.
  std::string geography;
  std::vector<std::string> models;        // ids, without duplicates
  std::vector<std::string> destinations;  // Regions, sorted; empty for global
  std::string wraps;  // of an application profile: the system profile's id, or ""
  Origin origin = Origin::built_in;
  std::int64_t learned_at_us = 0;  // Unix time, µs, when the service said it; 0 built in

  bool operator==(const Profile&) const = default;
};

// As the store's columns and records have it: "eu-central-1,eu-west-1"; "*" for global; "" unknown.
std::string destinations_text(const Profile& profile);

}  // namespace invlog::residency

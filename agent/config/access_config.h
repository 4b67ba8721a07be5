// Who may call, and what a client may ask of the agent: [agent]'s keys of access_settings.h,
// checked and resolved.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace invlog::config {

struct AccessConfig {
  bool allow_remote = false;             // listen on addresses that other hosts reach
  std::vector<std::uint32_t> user_ids;   // allow_users
  std::vector<std::uint32_t> group_ids;  // allow_groups
  std::vector<std::string> hosts;        // allowed_hosts: lower case, "*.name" or "*" too

  bool operator==(const AccessConfig&) const = default;

  // Else whoever reaches the agent may call.
  bool names_callers() const { return !user_ids.empty() || !group_ids.empty(); }
};

struct ClientLimits {
  // From a request's first byte to its head's end.
  std::chrono::milliseconds header_timeout{10000};
  // A connection without a request for so long is closed.
  std::chrono::milliseconds keep_alive_timeout{600000};
  std::uint64_t max_connections = 1024;

  bool operator==(const ClientLimits&) const = default;
};

}  // namespace invlog::config

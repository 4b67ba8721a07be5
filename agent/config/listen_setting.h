// The value of a key `listen`: "HOST:PORT", "unix:PATH", or one of each.
//
// Pure; any thread. Errors: the cause without the place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/config/setting_checks.h"

namespace invlog::config {

// Where it goes; "" for a host or a socket that is not named.
struct ListenMembers {
  std::string& host;
  std::uint16_t& port;
  std::string& socket;
};

// What to write instead of what is wrong.
struct ListenExample {
  std::string_view port, socket;
};

SettingError set_listen_addresses(const ListenMembers& members, const SettingValues& addresses,
                                  const ListenExample& example);

}  // namespace invlog::config

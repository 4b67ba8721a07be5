// The keys of [agent] that say who may call, and what a client may ask of the agent. Part of
// agent_settings.cpp's table.
//
// Any thread. Errors: the cause without the place. Names of users and groups are looked up in the
// system's databases (getpwnam, getgrnam), which may ask a directory server.
#pragma once

#include <optional>
#include <string>

#include "agent/config/settings.h"

namespace invlog::config {

SettingError set_allow_remote(AgentConfig& configuration, const SettingValues& values);
SettingError set_allow_users(AgentConfig& configuration, const SettingValues& values);
SettingError set_allow_groups(AgentConfig& configuration, const SettingValues& values);
SettingError set_allowed_hosts(AgentConfig& configuration, const SettingValues& values);
SettingError set_header_timeout(AgentConfig& configuration, const SettingValues& values);
SettingError set_keep_alive_timeout(AgentConfig& configuration, const SettingValues& values);
SettingError set_max_connections(AgentConfig& configuration, const SettingValues& values);

// Why the address to listen on is not allowed, if so; after all keys were applied.
std::optional<Mismatch> listen_problem(const AgentConfig& configuration);

}  // namespace invlog::config

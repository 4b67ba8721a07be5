// The configuration's tables, [agent], [exporters.s3] and so on, each with its keys, and each key
// with how its text becomes a member of AgentConfig. Flags of `invlog agent` are [agent]'s keys, so
// that file and flags know the same keys and check them alike.
//
// Pure functions; any thread. Errors: the cause without the place, which the caller knows.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/config/setting_checks.h"

namespace invlog::config {

// How a value is written in the file.
enum class ValueForm {
  text,      // a string in quotes
  path,      // the same, of a file or a directory: absolute, or ""; relative in a flag only
  texts,     // a string or an array of strings; comma-separated in a flag
  size,      // a string such as "64MiB", or a bare number of bytes
  number,    // a whole number without quotes
  fraction,  // a number without quotes, with or without a point
  boolean,   // true or false without quotes; arrives as "true", "false"
  pairs      // an array of "key=value", or { key = "value" }; arrives as key, value, key, value
};

struct Setting {
  std::string_view key;
  ValueForm form = ValueForm::text;
  // Checks `values` (one, unless the form has several) and sets the member; the error if they do
  // not fit.
  SettingError (*apply)(AgentConfig& configuration, const SettingValues& values) = nullptr;
  // What a key that is left out stands for, as apply() takes it: "64MiB", "true"; "": nothing, or
  // something that depends on other things. systemd/invlog.toml says the same.
  std::string_view default_text = {};
  bool reloads = false;  // a running agent can take a new value
};

// What only all settings together show. `key` names the setting to blame; `other` the one that it
// does not go with, "" none, of the same table or "agent.region". If the value of either is itself
// wrong, the mismatch is not told.
struct Mismatch {
  std::string key, cause, other = {};
};
using Mismatches = std::vector<Mismatch>;

struct SettingsTable {
  std::string_view name;  // as between the brackets
  const std::vector<Setting> settings;
  // The table stands in the file: what is absent without it comes to be, with its defaults.
  void (*begin)(AgentConfig& configuration);
  // After every table's settings were applied: what follows from others ([agent] comes first, with
  // the Region), and all that does not fit together. Does nothing for a table that was not begun.
  Mismatches (*finish)(AgentConfig& configuration);
  bool reloads = false;  // a running agent can take new values for all of its keys
  // What is taken, and yet probably not what was meant; null: nothing is.
  Mismatches (*warn)(const AgentConfig& configuration) = nullptr;

  bool can_reload(const Setting& setting) const { return reloads || setting.reloads; }
  const Setting* find(std::string_view key) const;  // null: unknown
  std::vector<std::string_view> keys() const;
};

const SettingsTable& agent_table();            // agent_settings.cpp
const SettingsTable& s3_table();               // s3_settings.cpp
const SettingsTable& cloudwatch_logs_table();  // cloudwatch_logs_settings.cpp
const SettingsTable& aws_table();              // aws_settings.cpp
const SettingsTable& retention_table();        // retention_settings.cpp
const SettingsTable& policy_table();           // policy_settings.cpp
const SettingsTable& privacy_table();          // privacy_settings.cpp
const SettingsTable& admin_table();            // admin_settings.cpp
const SettingsTable& proxy_table();            // proxy_settings.cpp

// Whether calls to the upstream come back to the agent's configured addresses, as far as that can
// be told without asking for a name; proxy mode has one with an authority only.
bool calls_itself(const AgentConfig& configuration, bool has_authority);
std::string upstream_is_itself(const AgentConfig& configuration);

// Why the agent would not start if it had a certificate authority, which turns proxy mode on.
SettingError problem_with_authority(const AgentConfig& configuration);

// All of them, in the order in which they are finished.
const std::vector<const SettingsTable*>& settings_tables();
const SettingsTable* find_settings_table(std::string_view name);  // null: unknown

}  // namespace invlog::config

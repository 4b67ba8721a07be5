// What a configuration comes to, value by value, and where each came from: for people
// (`invlog config --effective`), and to find out what a new configuration changes.
//
// Secrets: no key holds one, and a URL with a password is refused before it gets here; what the
// environment says instead of a key is shown only if the key would take it.
//
// Pure functions; any thread. Errors: none, given a configuration without problems.
#pragma once

#include <string>
#include <vector>

#include "agent/config/config_loader.h"
#include "agent/config/settings.h"

namespace invlog::config {

struct EffectiveValue {
  const Setting* setting = nullptr;
  bool set = false;  // false: it has neither a value nor a default
  SettingValues values;
  std::string origin;  // "invlog.toml:3:10", "flag --listen", "environment AWS_REGION", "default"
};

struct EffectiveTable {
  const SettingsTable* table = nullptr;
  bool present = true;                 // false: it makes a difference that it does not stand there
  std::vector<EffectiveValue> values;  // one for each key, in the table's order
};

// Every table, every key. Pure, but for what set_certificates_file() reads.
std::vector<EffectiveTable> effective_values(const LoadedConfig& loaded,
                                             const aws::Environment& environment);

// A configuration file that means the same, with a comment behind each value; ends with a newline.
std::string effective_toml(const std::vector<EffectiveTable>& tables);
// {"agent":{"listen":{"value":["127.0.0.1:4180"],"from":"default"},...},"policy":null,...}, in one
// line without an end; null: a table that does not stand there, or the value of a key without one.
std::string effective_json(const std::vector<EffectiveTable>& tables);

}  // namespace invlog::config

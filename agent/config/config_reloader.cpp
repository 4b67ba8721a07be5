#include "agent/config/config_reloader.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "agent/config/effective_config.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

std::string name_of(const SettingsTable& table, const Setting& setting) {
  return std::string(table.name) + "." + std::string(setting.key);
}

// What the value alone makes of the table's defaults; none if it is no longer taken, as that of a
// file of certificates that is gone.
std::optional<AgentConfig> meaning_of(const SettingsTable& table, const EffectiveValue& value) {
  AgentConfig configuration;
  table.begin(configuration);
  if (value.set && value.setting->apply(configuration, value.values)) {
    return std::nullopt;
  }
  return configuration;
}

// By what they mean: "8MiB" is 8388608, and "" may be the same as a key that is left out.
bool differ(const SettingsTable& table, const EffectiveValue& a, const EffectiveValue& b) {
  if (a.values == b.values) {
    return false;
  }
  const auto before = meaning_of(table, a), after = meaning_of(table, b);
  return !before || before != after;
}

void compare(const EffectiveTable& before, const EffectiveTable& after, ConfigChange& change) {
  const SettingsTable& table = *before.table;
  if (before.present != after.present) {
    (table.reloads ? change.changed : change.needs_restart)
        .push_back("[" + std::string(table.name) + "]");
    return;
  }
  for (std::size_t at = 0; before.present && at < before.values.size(); ++at) {
    const Setting& setting = *before.values[at].setting;
    if (differ(table, before.values[at], after.values[at])) {
      (table.can_reload(setting) ? change.changed : change.needs_restart)
          .push_back(name_of(table, setting));
    }
  }
}

ConfigChange difference(const LoadedConfig& before, const LoadedConfig& after) {
  const auto old_values = effective_values(before, {});
  const auto new_values = effective_values(after, {});
  ConfigChange change;
  for (std::size_t at = 0; at < old_values.size(); ++at) {
    compare(old_values[at], new_values[at], change);
  }
  return change;
}

std::vector<std::string> removed_guards(const GivenTables& before, const GivenTables& after) {
  std::vector<std::string> removed;
  for (const SettingsTable* table : {&policy_table(), &privacy_table()}) {
    if (before.contains(table->name) && !after.contains(table->name)) {
      removed.push_back("[" + std::string(table->name) + "]");
    }
  }
  return removed;
}

// `after` where a running agent can take it, else `before`.
GivenTables mixed(const GivenTables& before, const GivenTables& after) {
  GivenTables given;
  for (const SettingsTable* table : settings_tables()) {
    const auto before_table = before.find(table->name), after_table = after.find(table->name);
    const auto chosen = table->reloads ? after_table : before_table;
    if (chosen == (table->reloads ? after.end() : before.end())) {
      continue;
    }
    GivenTable& made = given[std::string(table->name)] = chosen->second;
    if (table->reloads) {
      continue;
    }
    for (const Setting& setting : table->settings) {
      if (!setting.reloads) {
        continue;
      }
      const std::string key(setting.key);
      made.values.erase(key);
      if (after_table == after.end()) {
        continue;
      }
      if (const auto value = after_table->second.values.find(key);
          value != after_table->second.values.end()) {
        made.values[key] = value->second;
      }
    }
  }
  return given;
}

}  // namespace

ConfigReloader::ConfigReloader(ConfigSources sources, LoadedConfig running)
    : sources_(std::move(sources)), running_(std::move(running)), before_(running_) {
  // An editor may be replacing it right now: without it, everything would be the default.
  const std::vector<std::string>& files = running_.files;
  if (!sources_.file &&
      std::find(files.begin(), files.end(), sources_.default_file) != files.end()) {
    sources_.file = sources_.default_file;
  }
  sources_.again = true;
  sources_.instance_region = [region = running_.configuration.region] { return region; };
}

ConfigChange ConfigReloader::reload() {
  LoadedConfig fresh = load_config(sources_);
  if (fresh.problems.empty() && running_.main_file_speaks && !fresh.main_file_speaks) {
    fresh.problems.push_back("the configuration " + sources_.file.value_or(sources_.default_file) +
                             " is empty");
  }
  if (!fresh.problems.empty()) {
    return {std::move(fresh.problems), {}, {}};
  }
  ConfigChange change = difference(running_, fresh);
  change.removed = removed_guards(running_.given, fresh.given);
  GivenTables given = mixed(running_.given, fresh.given);
  AssembledConfig assembled = assemble_config(given);
  if (!assembled.problems.empty()) {
    std::string keys;
    for (const std::string& key : change.needs_restart) {
      keys += (keys.empty() ? "" : ", ") + key;
    }
    for (std::string& problem : assembled.problems) {
      problem += "; it would fit together only after a restart, which " + keys + " needs";
    }
    return {std::move(assembled.problems), {}, {}};
  }
  before_ = std::exchange(running_, {std::move(assembled.configuration),
                                     std::move(given),
                                     std::move(fresh.files),
                                     {},
                                     std::move(assembled.warnings),
                                     fresh.main_file_speaks});
  return change;
}

void ConfigReloader::take_back() {
  running_ = before_;
}

}  // namespace invlog::config

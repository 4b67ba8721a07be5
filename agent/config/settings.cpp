#include "agent/config/settings.h"

#include <algorithm>

namespace invlog::config {

const Setting* SettingsTable::find(std::string_view key) const {
  const auto found = std::find_if(settings.begin(), settings.end(),
                                  [key](const Setting& setting) { return setting.key == key; });
  return found == settings.end() ? nullptr : &*found;
}

std::vector<std::string_view> SettingsTable::keys() const {
  std::vector<std::string_view> keys;
  for (const Setting& setting : settings) {
    keys.push_back(setting.key);
  }
  return keys;
}

const std::vector<const SettingsTable*>& settings_tables() {
  static const std::vector<const SettingsTable*> tables = {
      &agent_table(),   &s3_table(),        &cloudwatch_logs_table(),
      &aws_table(),     &retention_table(), &policy_table(),
      &privacy_table(), &admin_table(),     &proxy_table()};
  return tables;
}

const SettingsTable* find_settings_table(std::string_view name) {
  const auto found =
      std::find_if(settings_tables().begin(), settings_tables().end(),
                   [name](const SettingsTable* table) { return table->name == name; });
  return found == settings_tables().end() ? nullptr : *found;
}

}  // namespace invlog::config

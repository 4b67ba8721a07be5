#include "agent/config/effective_config.h"

#include <algorithm>

#include "storage/json_writer.h"

namespace invlog::config {
namespace {

// The variables that stand in for keys that are left out or empty, the first that is set. (The
// Region's are config_loader.cpp's.)
struct Variable {
  std::string_view table, key;
  const char* name;
};
constexpr Variable kVariables[] = {{"aws", "profile", "AWS_PROFILE"},
                                   {"aws", "profile", "AWS_DEFAULT_PROFILE"},
                                   {"aws", "sts_endpoint", "AWS_ENDPOINT_URL_STS"},
                                   {"aws", "bedrock_endpoint", "AWS_ENDPOINT_URL_BEDROCK"},
                                   {"aws", "cloudtrail_endpoint", "AWS_ENDPOINT_URL_CLOUDTRAIL"},
                                   {"aws", "ca_bundle", "AWS_CA_BUNDLE"}};

// A table that does something by standing there, even if it is empty.
bool presence_matters(const SettingsTable& table) {
  AgentConfig begun;
  table.begin(begun);
  return !(begun == AgentConfig());
}

void take_from_environment(EffectiveValue& value, const SettingsTable& table,
                           const aws::Environment& environment) {
  for (const Variable& variable : kVariables) {
    if (variable.table != table.name || variable.key != value.setting->key || !environment) {
      continue;
    }
    const auto text = environment(variable.name);
    AgentConfig scratch;
    if (text && !text->empty() && !value.setting->apply(scratch, {*text})) {
      value.set = true;
      value.values = {*text};
      value.origin = std::string("environment ") + variable.name;
      return;
    }
  }
}

EffectiveValue effective_value(const Setting& setting, const SettingsTable& table,
                               const GivenTable* given, const LoadedConfig& loaded,
                               const aws::Environment& environment) {
  EffectiveValue value{&setting, true, {}, "default"};
  if (given != nullptr) {
    if (const auto found = given->values.find(setting.key); found != given->values.end()) {
      value.values = found->second.values;
      value.origin = found->second.origin;
      if (value.values == SettingValues{""}) {
        take_from_environment(value, table, environment);
      }
      return value;
    }
  }
  if (!setting.default_text.empty()) {
    value.values = {std::string(setting.default_text)};
    return value;
  }
  if (&table == &agent_table() && setting.key == "upstream" &&
      !loaded.configuration.upstream.empty()) {
    value.values = {loaded.configuration.upstream};
    value.origin = "default, by region";
    return value;
  }
  value.set = false;
  take_from_environment(value, table, environment);
  return value;
}

std::string toml_string(std::string_view text) {
  std::string json;
  storage::append_json_string(json, text);
  // A string of JSON is one of TOML but for this.
  std::string toml;
  for (const char byte : json) {
    byte == '\x7f' ? toml.append("\\u007f") : toml.append(1, byte);
  }
  return toml;
}

// A flag may have them; neither TOML nor JSON does.
std::string without_leading_zeros(const std::string& number) {
  const std::size_t first = number.find_first_not_of('0');
  return number.substr(std::min(first, number.size() - 1));
}

// As TOML or JSON, which differ in `between` a key of pairs and its value only.
std::string literal(const EffectiveValue& value, std::string_view between) {
  const SettingValues& values = value.values;
  switch (value.setting->form) {
    case ValueForm::number:
      return without_leading_zeros(values.front());
    case ValueForm::fraction:
    case ValueForm::boolean:
      return values.front();
    case ValueForm::texts: {
      std::string array = "[";
      for (const std::string& text : values) {
        array += (array.size() > 1 ? ", " : "") + toml_string(text);
      }
      return array + "]";
    }
    case ValueForm::pairs: {
      std::string pairs = "{";
      for (std::size_t at = 0; at + 1 < values.size(); at += 2) {
        pairs.append(at > 0 ? ", " : "").append(toml_string(values[at])).append(between);
        pairs += toml_string(values[at + 1]);
      }
      return pairs + "}";
    }
    case ValueForm::text:
    case ValueForm::path:
    case ValueForm::size:
      break;
  }
  return toml_string(values.front());
}

}  // namespace

std::vector<EffectiveTable> effective_values(const LoadedConfig& loaded,
                                             const aws::Environment& environment) {
  std::vector<EffectiveTable> tables;
  for (const SettingsTable* table : settings_tables()) {
    const auto found = loaded.given.find(table->name);
    const GivenTable* given = found == loaded.given.end() ? nullptr : &found->second;
    EffectiveTable effective{table, given != nullptr || !presence_matters(*table), {}};
    for (const Setting& setting : table->settings) {
      effective.values.push_back(effective_value(setting, *table, given, loaded, environment));
    }
    tables.push_back(std::move(effective));
  }
  return tables;
}

std::string effective_toml(const std::vector<EffectiveTable>& tables) {
  std::string text;
  for (const EffectiveTable& each : tables) {
    const std::string name(each.table->name);
    text += text.empty() ? "" : "\n";
    if (!each.present) {
      text += "# [" + name + "]: not configured\n";
      continue;
    }
    text += "[" + name + "]\n";
    for (const EffectiveValue& value : each.values) {
      const std::string key(value.setting->key);
      text += value.set ? key + " = " + literal(value, " = ") + "  # " + value.origin + "\n"
                        : "# " + key + ": not set\n";
    }
  }
  return text;
}

std::string effective_json(const std::vector<EffectiveTable>& tables) {
  std::string text = "{";
  for (const EffectiveTable& each : tables) {
    std::string table = "{";
    for (const EffectiveValue& value : each.values) {
      std::string member = "{";
      storage::append_json_raw(member, "value", value.set ? literal(value, ":") : "null");
      if (value.set) {
        storage::append_json_member(member, "from", value.origin);
      } else {
        storage::append_json_raw(member, "from", "null");
      }
      storage::append_json_raw(table, value.setting->key, member + "}");
    }
    storage::append_json_raw(text, each.table->name, each.present ? table + "}" : "null");
  }
  return text + "}";
}

}  // namespace invlog::config

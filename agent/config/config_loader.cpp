#include "agent/config/config_loader.h"

#include <algorithm>
#include <filesystem>

#include "agent/config/config_file.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

std::string flag_of(std::string_view key) {
  std::string flag = "--";
  for (const char byte : key) {
    flag += byte == '_' ? '-' : byte;
  }
  return flag;
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    if (end > begin) {
      parts.push_back(text.substr(begin, end - begin));
    }
    begin = end + 1;
  }
  return parts;
}

// The file's values with the flags laid over them. There is always an [agent].
tl::expected<GivenTables, std::string> collect(const ConfigSources& sources) {
  tl::expected<GivenTables, std::string> given;
  std::error_code ignored;
  if (sources.file) {
    given = read_config_file(*sources.file);
  } else if (std::filesystem::exists(sources.default_file, ignored)) {
    given = read_config_file(sources.default_file);
  }
  if (!given) {
    return given;
  }
  GivenTable& agent = (*given)[std::string(agent_table().name)];
  for (const auto& [key, value] : sources.flags) {
    const Setting* setting = agent_table().find(key);
    if (setting == nullptr) {
      return tl::unexpected("unknown setting " + in_quotes(key) +
                            suggestion(key, agent_table().keys()));
    }
    agent.values[key] = {
        setting->form == ValueForm::texts ? split_at_commas(value) : std::vector{value},
        flag_of(key)};
  }
  return given;
}

// Region from the environment, and the variable that has it.
std::optional<GivenValue> region_from(const aws::Environment& environment) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    const auto value = environment ? environment(name) : std::nullopt;
    if (value && !value->empty()) {
      return GivenValue{{*value}, name};
    }
  }
  return std::nullopt;
}

std::optional<std::string> apply(AgentConfig& configuration, const SettingsTable& table,
                                 const GivenTable& given) {
  table.begin(configuration);
  for (const auto& [key, value] : given.values) {
    if (const auto error = table.find(key)->apply(configuration, value.values)) {
      return value.place + ": " + *error;
    }
  }
  return std::nullopt;
}

std::string text_of(const Mismatch& mismatch, const SettingsTable& table,
                    const GivenTables& given) {
  const auto found = given.find(table.name);
  if (found == given.end()) {
    return mismatch.key + ": " + mismatch.cause;
  }
  if (const auto value = found->second.values.find(mismatch.key);
      value != found->second.values.end()) {
    return value->second.place + ": " + mismatch.cause;
  }
  const std::string& place = found->second.place;
  return (place.empty() ? "" : place + ": [" + std::string(table.name) + "]: ") + mismatch.key +
         ": " + mismatch.cause;
}

// The Region of the file or of a flag, else the store's, else the environment's, else the
// instance's.
std::optional<std::string> settle_region(GivenTable& agent, const ConfigSources& sources) {
  const auto given = agent.values.find("region");
  if (given != agent.values.end()) {
    const std::string& region = given->second.values.front();
    if (!sources.store_region.empty() && region != sources.store_region) {
      return given->second.place + ": " + in_quotes(region) +
             ", but the store is pinned to Region " + in_quotes(sources.store_region) +
             ": its records go nowhere else";
    }
    return std::nullopt;
  }
  if (!sources.store_region.empty()) {
    agent.values["region"] = {{sources.store_region}, "the store's Region"};
    return std::nullopt;
  }
  auto region = region_from(sources.environment);
  if (!region && sources.instance_region) {
    if (std::string of_instance = sources.instance_region(); !of_instance.empty()) {
      region = GivenValue{{std::move(of_instance)}, "the EC2 instance's Region"};
    }
  }
  if (!region) {
    return "no Region: give --region REGION, set region below [agent] in the configuration file, "
           "or set AWS_REGION";
  }
  agent.values["region"] = *region;
  return std::nullopt;
}

std::vector<std::string> stores_in(const std::string& directory) {
  std::vector<std::string> stores;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".db") {
      stores.push_back(entry->path().string());
    }
  }
  std::sort(stores.begin(), stores.end());
  return stores;
}

tl::expected<StoreLocation, std::string> only_store_in(const std::string& directory,
                                                       const std::string& preferred_region) {
  const std::vector<std::string> stores = stores_in(directory);
  if (stores.empty()) {
    return tl::unexpected("there is no store (*.db) in " + directory +
                          ": has an agent run with this state directory? Name another with "
                          "--state-dir DIR, or the file with --store FILE");
  }
  const std::string preferred = directory + "/" + preferred_region + ".db";
  if (stores.size() == 1 || std::find(stores.begin(), stores.end(), preferred) != stores.end()) {
    return StoreLocation{stores.size() == 1 ? stores.front() : preferred, directory};
  }
  std::string list;
  for (const std::string& store : stores) {
    list += "\n  " + store;
  }
  return tl::unexpected("there are several stores in " + directory +
                        "; choose one with --store FILE:" + list);
}

}  // namespace

tl::expected<AgentConfig, std::string> load_agent_config(const ConfigSources& sources) {
  auto given = collect(sources);
  if (!given) {
    return tl::unexpected(given.error());
  }
  if (const auto error = settle_region(given->find(agent_table().name)->second, sources)) {
    return tl::unexpected(*error);
  }
  AgentConfig configuration;
  for (const SettingsTable* table : settings_tables()) {
    const auto found = given->find(table->name);
    if (found == given->end()) {
      continue;
    }
    if (const auto error = apply(configuration, *table, found->second)) {
      return tl::unexpected(*error);
    }
  }
  for (const SettingsTable* table : settings_tables()) {
    if (const auto mismatch = table->finish(configuration)) {
      return tl::unexpected(text_of(*mismatch, *table, *given));
    }
  }
  return configuration;
}

tl::expected<StoreLocation, std::string> locate_store(const ConfigSources& sources,
                                                      const std::optional<std::string>& store) {
  if (store) {
    const std::string directory = std::filesystem::path(*store).parent_path().string();
    return StoreLocation{*store, directory.empty() ? "." : directory};
  }
  const auto given = collect(sources);
  if (!given) {
    return tl::unexpected(given.error());
  }
  AgentConfig configuration;
  // Only [agent] says where a store is; whoever reads one need not be able to ship it.
  if (const auto error =
          apply(configuration, agent_table(), given->find(agent_table().name)->second)) {
    return tl::unexpected(*error);
  }
  // A Region of the file says which store of the file's directory, but nothing about one named by a
  // flag.
  const bool directory_by_flag = sources.flags.contains("state_dir");
  const bool region_by_flag = sources.flags.contains("region");
  if (!configuration.region.empty() && (region_by_flag || !directory_by_flag)) {
    return StoreLocation{configuration.store_path(), configuration.state_dir};
  }
  const auto region = region_from(sources.environment);
  return only_store_in(configuration.state_dir, !configuration.region.empty() ? configuration.region
                                                : region ? region->values.front()
                                                         : "");
}

}  // namespace invlog::config

#include "agent/config/config_loader.h"

// The parser's own exceptions carry the place of a syntax error.
#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "agent/config/nearest_name.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

struct GivenValue {
  std::vector<std::string> values;
  std::string place;  // "invlog.toml:3:10: listen", "--listen"
};
using GivenValues = std::map<std::string, GivenValue, std::less<>>;
using Collected = tl::expected<GivenValues, std::string>;

std::string place_of(const std::string& file, const toml::source_region& region) {
  return file + ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column);
}

std::string suggestion(std::string_view name, const std::vector<std::string_view>& known) {
  const std::string nearest = nearest_name(name, known);
  return nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?";
}

std::string flag_of(std::string_view key) {
  std::string flag = "--";
  for (const char byte : key) {
    flag += byte == '_' ? '-' : byte;
  }
  return flag;
}

// The value as text; the error without its place.
tl::expected<std::vector<std::string>, std::string> texts_of(const toml::node& node,
                                                             const Setting& setting) {
  if (const auto* text = node.as_string()) {
    return std::vector{text->get()};
  }
  if (const auto* number = node.as_integer(); number != nullptr && setting.takes_integer) {
    return std::vector{std::to_string(number->get())};
  }
  if (const auto* array = node.as_array(); array != nullptr && setting.takes_list) {
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      if (!element.is_string()) {
        return tl::unexpected<std::string>("each element must be a string in quotes");
      }
      texts.push_back(element.as_string()->get());
    }
    return texts;
  }
  return tl::unexpected<std::string>(setting.takes_list ? "must be a string or an array of strings"
                                     : setting.takes_integer ? "must be a string such as \"64MiB\""
                                                             : "must be a string in quotes");
}

Collected collect_table(const toml::table& agent, const std::string& file) {
  GivenValues given;
  for (const auto& [key, node] : agent) {
    const std::string name(key.str());
    const Setting* setting = find_setting(name);
    if (setting == nullptr) {
      return tl::unexpected(place_of(file, key.source()) + ": unknown key \"" + name +
                            "\" in [agent]" + suggestion(name, setting_keys()));
    }
    const std::string place = place_of(file, node.source()) + ": " + name;
    auto texts = texts_of(node, *setting);
    if (!texts) {
      return tl::unexpected(place + ": " + texts.error());
    }
    given[name] = {std::move(*texts), place};
  }
  return given;
}

Collected collect_file(const std::string& file) {
  std::error_code ignored;
  std::ifstream stream(file, std::ios::binary);
  if (!stream || std::filesystem::is_directory(file, ignored)) {
    return tl::unexpected(
        "cannot read the configuration " + file + ": " +
        (std::filesystem::exists(file, ignored) ? "it is no readable file" : "no such file"));
  }
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  try {
    const toml::table document = toml::parse(text, file);
    for (const auto& [key, node] : document) {
      const std::string name(key.str());
      if (name == "agent" && node.is_table()) {
        continue;
      }
      const std::string place = place_of(file, key.source());
      if (name == "agent") {
        return tl::unexpected(place + ": agent must be a table: [agent]");
      }
      if (!node.is_table() && find_setting(name) != nullptr) {
        return tl::unexpected(place + ": key \"" + name + "\" must stand below [agent]");
      }
      return tl::unexpected(place + ": unknown " + (node.is_table() ? "table [" : "key \"") + name +
                            (node.is_table() ? "]" : "\"") + suggestion(name, {"agent"}));
    }
    const toml::table* agent = document["agent"].as_table();
    return agent == nullptr ? Collected{} : collect_table(*agent, file);
  } catch (const toml::parse_error& error) {
    return tl::unexpected(place_of(file, error.source()) + ": " + std::string(error.description()));
  }
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

// The file's values with the flags laid over them.
Collected collect(const ConfigSources& sources) {
  Collected given;
  std::error_code ignored;
  if (sources.file) {
    given = collect_file(*sources.file);
  } else if (std::filesystem::exists(sources.default_file, ignored)) {
    given = collect_file(sources.default_file);
  }
  if (!given) {
    return given;
  }
  for (const auto& [key, value] : sources.flags) {
    const Setting* setting = find_setting(key);
    if (setting == nullptr) {
      return tl::unexpected("unknown setting \"" + key + "\"" + suggestion(key, setting_keys()));
    }
    (*given)[key] = {setting->takes_list ? split_at_commas(value) : std::vector{value},
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

std::optional<std::string> apply_all(AgentConfig& configuration, const GivenValues& given) {
  for (const auto& [key, value] : given) {
    if (const auto error = find_setting(key)->apply(configuration, value.values)) {
      return value.place + ": " + *error;
    }
  }
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
  if (!given->contains("region")) {
    const auto region = region_from(sources.environment);
    if (!region) {
      return tl::unexpected<std::string>(
          "no Region: give --region REGION, set region below [agent] in the configuration file, or "
          "set AWS_REGION");
    }
    (*given)["region"] = *region;
  }
  AgentConfig configuration;
  if (const auto error = apply_all(configuration, *given)) {
    return tl::unexpected(*error);
  }
  if (const auto mismatch = finish(configuration)) {
    const auto blamed = given->find(mismatch->key);
    return tl::unexpected((blamed == given->end() ? mismatch->key : blamed->second.place) + ": " +
                          mismatch->cause);
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
  if (const auto error = apply_all(configuration, *given)) {
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

#include "agent/config/config_loader.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/config/config_file.h"
#include "agent/config/permission_advice.h"
#include "agent/config/settings.h"
#include "exporters/aws/endpoints.h"
#include "storage/store_file.h"

namespace invlog::config {
namespace {

std::string flag_of(std::string_view key) {
  std::string flag = "--";
  for (const char byte : key) {
    flag += byte == '_' ? '-' : byte;
  }
  return flag;
}

// Empty parts are kept, for the setting to refuse: an empty variable behind --allow-users must not
// let everybody in.
std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

// Whether nothing is there. A link that leads nowhere, or a folder that may not be entered, is not
// that: an agent that took defaults instead would be one without its policy.
bool is_absent(const std::string& file) {
  std::error_code ignored;
  return std::filesystem::symlink_status(file, ignored).type() ==
         std::filesystem::file_type::not_found;
}

// *.toml of the directory, in the order of their names. Hidden ones are an editor's.
std::vector<std::string> files_in(const std::filesystem::path& directory, Problems& problems) {
  std::vector<std::string> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::filesystem::path& path = entry->path();
    if (path.extension() == ".toml" && !path.filename().string().starts_with('.')) {
      files.push_back(path.string());
    }
  }
  if (error && !is_absent(directory.string())) {
    problems.push_back("cannot read the configurations in " + directory.string() + ": " +
                       error.message());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A flag's value as the setting takes it.
SettingValues values_of_flag(const Setting& setting, const std::string& value) {
  if (setting.form == ValueForm::texts) {
    return split_at_commas(value);
  }
  return {setting.form == ValueForm::path && !value.empty() ? absolute_path(value) : value};
}

struct Collected {
  GivenTables given;
  std::vector<std::string> files;
  Problems problems;
  bool whole = true;  // every file could be read
  bool main_file_speaks = false;
};

void collect_files(const ConfigSources& sources, Collected& collected) {
  const std::string main_file = sources.file.value_or(sources.default_file);
  std::vector<std::string> files =
      files_in(std::filesystem::path(main_file).parent_path() / "conf.d", collected.problems);
  if (sources.file || !is_absent(main_file)) {
    files.insert(files.begin(), main_file);
  }
  collected.whole = collected.problems.empty();
  for (const std::string& file : files) {
    const bool may_be_pipe = !sources.again && file == sources.file;
    const FileContent content = read_config_file(
        file, may_be_pipe ? FileKind::any : FileKind::regular, collected.given, collected.problems);
    if (content == FileContent::unreadable) {
      collected.whole = false;
    } else {
      collected.files.push_back(file);
    }
    collected.main_file_speaks |= file == main_file && content == FileContent::settings;
  }
}

// The files' values with the flags laid over them. There is always an [agent].
Collected collect(const ConfigSources& sources) {
  Collected collected;
  collect_files(sources, collected);
  GivenTable& agent = collected.given[std::string(agent_table().name)];
  for (const auto& [key, value] : sources.flags) {
    const Setting* setting = agent_table().find(key);
    if (setting == nullptr) {
      collected.problems.push_back("unknown setting " + in_quotes(key) +
                                   suggestion(key, agent_table().keys()));
      continue;
    }
    const std::string flag = flag_of(key);
    agent.values[key] = {values_of_flag(*setting, value), flag, "flag " + flag};
  }
  return collected;
}

// Region from the environment, and the variable that has it.
std::optional<GivenValue> region_from(const aws::Environment& environment) {
  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    const auto value = environment ? environment(name) : std::nullopt;
    if (value && !value->empty()) {
      return GivenValue{{*value}, name, std::string("environment ") + name};
    }
  }
  return std::nullopt;
}

// "agent.listen" of a key whose value was wrong; its member has the default.
using WrongKeys = std::set<std::string, std::less<>>;

std::string whole_key(const SettingsTable& table, std::string_view key) {
  return key.find('.') != std::string_view::npos ? std::string(key)
                                                 : std::string(table.name) + "." + std::string(key);
}

// What is wrong with each element of a list, of which apply() said the first; and that, if only all
// of them show it.
std::vector<std::string> each_error(const SettingsTable& table, const Setting& setting,
                                    const SettingValues& values, const std::string& first) {
  const std::size_t length = setting.form == ValueForm::pairs ? 2 : 1;
  std::vector<std::string> errors;
  for (std::size_t at = 0; at + length <= values.size(); at += length) {
    AgentConfig alone;
    table.begin(alone);
    const auto error =
        setting.apply(alone, {values.begin() + static_cast<std::ptrdiff_t>(at),
                              values.begin() + static_cast<std::ptrdiff_t>(at + length)});
    if (error && std::find(errors.begin(), errors.end(), *error) == errors.end()) {
      errors.push_back(*error);
    }
  }
  if (std::find(errors.begin(), errors.end(), first) == errors.end()) {
    errors.insert(errors.begin(), first);
  }
  return errors;
}

void apply(AgentConfig& configuration, const SettingsTable& table, const GivenTable& given,
           Problems& problems, WrongKeys& wrong) {
  table.begin(configuration);
  for (const auto& [key, value] : given.values) {
    const Setting& setting = *table.find(key);
    if (const auto error = setting.apply(configuration, value.values)) {
      for (const std::string& each : each_error(table, setting, value.values, *error)) {
        problems.push_back(value.place + ": " + each);
      }
      wrong.insert(whole_key(table, key));
    }
  }
}

const GivenValue* find_value(const GivenTables& given, std::string_view table,
                             const std::string& key) {
  const auto found = given.find(table);
  if (found == given.end()) {
    return nullptr;
  }
  const auto value = found->second.values.find(key);
  return value == found->second.values.end() ? nullptr : &value->second;
}

// "invlog.toml" of "invlog.toml:3:10"; of a flag or a variable all of it.
std::string_view file_of(std::string_view origin) {
  for (int colons = 0; colons < 2 && origin.find(':') != std::string_view::npos; ++colons) {
    origin.remove_suffix(origin.size() - origin.rfind(':'));
  }
  return origin;
}

// Where the other one of two that do not go together stands, if that is another file: else whoever
// reads the error looks in the wrong one.
std::string elsewhere(const Mismatch& mismatch, const SettingsTable& table,
                      const GivenTables& given, std::string_view file) {
  const std::size_t dot = mismatch.other.find('.');
  const std::string key = mismatch.other.substr(dot == std::string::npos ? 0 : dot + 1);
  const std::string_view of =
      dot == std::string::npos ? table.name : std::string_view(mismatch.other).substr(0, dot);
  const GivenValue* other = find_value(given, of, key);
  if (other == nullptr || file_of(other->origin) == file) {
    return "";
  }
  return " (" + key + " comes from " + other->origin + ")";
}

std::string text_of(const Mismatch& mismatch, const SettingsTable& table,
                    const GivenTables& given) {
  const auto found = given.find(table.name);
  if (found == given.end()) {
    return mismatch.key + ": " + mismatch.cause;
  }
  if (const GivenValue* value = find_value(given, table.name, mismatch.key)) {
    return value->place + ": " + mismatch.cause +
           elsewhere(mismatch, table, given, file_of(value->origin));
  }
  const std::string& place = found->second.place;
  return (place.empty() ? "" : place + ": [" + std::string(table.name) + "]: ") + mismatch.key +
         ": " + mismatch.cause;
}

std::string no_region(const ConfigSources& sources) {
  const std::string service =
      service::service_alone_has(sources.service_files, sources.environment, "invlog COMMAND");
  return std::string("no Region: ") + (sources.has_region_flag ? "give --region REGION, " : "") +
         "set region below [agent] in the configuration file, or set AWS_REGION" +
         (service.empty() ? "" : " (" + service + ")");
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
    agent.values["region"] = {{sources.store_region}, "the store's Region", "the store's Region"};
    return std::nullopt;
  }
  auto region = region_from(sources.environment);
  if (!region && sources.instance_region) {
    if (std::string of_instance = sources.instance_region(); !of_instance.empty()) {
      region = GivenValue{
          {std::move(of_instance)}, "the EC2 instance's Region", "the EC2 instance's Region"};
    }
  }
  if (!region && sources.region_optional) {
    return std::nullopt;
  }
  if (!region) {
    return no_region(sources);
  }
  agent.values["region"] = *region;
  return std::nullopt;
}

// Those too of which only a copy is there as yet: whoever opens one says so.
std::vector<std::string> stores_in(const std::string& directory, std::error_code& error) {
  std::vector<std::string> stores;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::filesystem::path store = entry->path();
    if (store.extension() != ".db") {
      store.replace_extension();
    }
    if (store.extension() == ".db" &&
        (entry->path() == store || entry->path() == storage::whole_copy_path(store))) {
      stores.push_back(store.string());
    }
  }
  std::sort(stores.begin(), stores.end());
  stores.erase(std::unique(stores.begin(), stores.end()), stores.end());
  return stores;
}

std::string folder_of(const std::string& file) {
  const std::string folder = std::filesystem::path(file).parent_path().string();
  return folder.empty() ? "." : folder;
}

bool has_status(const std::string& directory) {
  std::error_code unknown;
  return std::filesystem::exists(directory + "/status.json", unknown) || unknown;
}

// An agent may have made the store by another link, in whose directory its status is then not: but
// all that stands beside a store stands beside the file that the links lead to.
StoreLocation location_of(const std::string& store_path, const std::string& directory) {
  const std::string real_directory = folder_of(storage::resolved_store_path(store_path));
  const bool elsewhere = !has_status(directory) && has_status(real_directory);
  return {store_path, elsewhere ? real_directory : directory};
}

tl::expected<StoreLocation, NoStore> only_store_in(const std::string& directory,
                                                   const std::string& preferred_region) {
  std::error_code error;
  const std::vector<std::string> stores = stores_in(directory, error);
  if (error && error != std::errc::no_such_file_or_directory) {
    return tl::unexpected(
        NoStore{"cannot look for a store in " + directory + ": " + error.message() +
                    (error == std::errc::permission_denied ? "; " + advice_to_read(directory) : ""),
                false});
  }
  if (stores.empty()) {
    return tl::unexpected(NoStore{"there is no store (*.db) in " + directory +
                                      ": has an agent run with this state directory? Name another "
                                      "with --state-dir DIR, or the file with --store FILE",
                                  false, true});
  }
  const std::string preferred = directory + "/" + preferred_region + ".db";
  if (std::find(stores.begin(), stores.end(), preferred) != stores.end()) {
    return location_of(preferred, directory);
  }
  // Beside an agent's may lie copies, which have other names.
  const auto is_agents = [](const std::string& store) {
    return aws::is_region_name(std::filesystem::path(store).stem().string());
  };
  const auto agents = std::find_if(stores.begin(), stores.end(), is_agents);
  if (stores.size() == 1 || std::count_if(stores.begin(), stores.end(), is_agents) == 1) {
    return location_of(stores.size() == 1 ? stores.front() : *agents, directory);
  }
  std::string list;
  for (const std::string& store : stores) {
    list += "\n  " + store;
  }
  return tl::unexpected(NoStore{"there are several stores in " + directory +
                                "; choose one with --store FILE:" + list});
}

}  // namespace

AssembledConfig assemble_config(const GivenTables& given) {
  AssembledConfig assembled;
  std::vector<const SettingsTable*> sound;
  WrongKeys wrong;
  for (const SettingsTable* table : settings_tables()) {
    const auto found = given.find(table->name);
    if (found != given.end()) {
      apply(assembled.configuration, *table, found->second, assembled.problems, wrong);
    }
    if (found == given.end() || !found->second.faulty) {
      sound.push_back(table);
    }
    if (found != given.end() && table->warn != nullptr) {
      for (const Mismatch& doubtful : table->warn(assembled.configuration)) {
        assembled.warnings.push_back(text_of(doubtful, *table, given));
      }
    }
  }
  if (assembled.configuration.region.empty() || sound.empty() || sound.front() != &agent_table()) {
    return assembled;  // what the others say of the Region would mean nothing
  }
  for (const SettingsTable* table : sound) {
    for (const Mismatch& mismatch : table->finish(assembled.configuration)) {
      if (!wrong.contains(whole_key(*table, mismatch.key)) &&
          !wrong.contains(whole_key(*table, mismatch.other))) {
        assembled.problems.push_back(text_of(mismatch, *table, given));
      }
    }
  }
  return assembled;
}

LoadedConfig load_config(const ConfigSources& sources) {
  Collected collected = collect(sources);
  GivenTable& agent = collected.given.find(agent_table().name)->second;
  const std::size_t before = collected.problems.size();
  if (const auto error = settle_region(agent, sources); error && collected.whole) {
    collected.problems.push_back(*error);
  }
  // What is missing may stand in what could not be read.
  agent.faulty |= !collected.whole || collected.problems.size() > before;
  AssembledConfig assembled = assemble_config(collected.given);
  collected.problems.insert(collected.problems.end(), assembled.problems.begin(),
                            assembled.problems.end());
  return {std::move(assembled.configuration), std::move(collected.given),
          std::move(collected.files),         std::move(collected.problems),
          std::move(assembled.warnings),      collected.main_file_speaks};
}

tl::expected<AgentConfig, std::string> load_agent_config(const ConfigSources& sources) {
  LoadedConfig loaded = load_config(sources);
  if (!loaded.problems.empty()) {
    return tl::unexpected(std::move(loaded.problems.front()));
  }
  return std::move(loaded.configuration);
}

tl::expected<StoreLocation, NoStore> locate_store(const ConfigSources& sources,
                                                  const std::optional<std::string>& store) {
  if (store) {
    return location_of(*store, folder_of(*store));
  }
  const Collected collected = collect(sources);
  const bool directory_by_flag = sources.flags.contains("state_dir");
  AgentConfig configuration;
  // What is missing may stand in what could not be read.
  Problems problems = directory_by_flag ? Problems() : collected.problems;
  for (const char* key : {"region", "state_dir"}) {
    const GivenValue* value = find_value(collected.given, agent_table().name, key);
    const auto error = value == nullptr
                           ? std::nullopt
                           : agent_table().find(key)->apply(configuration, value->values);
    if (error && (!directory_by_flag || sources.flags.contains(key))) {
      problems.push_back(value->place + ": " + *error);
    }
  }
  if (!problems.empty()) {
    const char* const advice = " (to read, --state-dir DIR or --store FILE does without it)";
    return tl::unexpected(NoStore{problems.front() + (directory_by_flag ? "" : advice)});
  }
  // A Region of the file says which store of the file's directory, but nothing about one named by a
  // flag.
  const bool region_by_flag = sources.flags.contains("region");
  if (!configuration.region.empty() && (region_by_flag || !directory_by_flag)) {
    return location_of(configuration.store_path(), configuration.state_dir);
  }
  const auto region = region_from(sources.environment);
  return only_store_in(configuration.state_dir, !configuration.region.empty() ? configuration.region
                                                : region ? region->values.front()
                                                         : "");
}

}  // namespace invlog::config

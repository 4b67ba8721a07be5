#include "exporters/aws/profile_files.h"

#include <sys/stat.h>

#include <initializer_list>

#include "exporters/aws/token_file.h"

namespace invlog::aws {
namespace {

constexpr std::size_t kLongestFile = 4 << 20;

FileVersion version_of(const std::string& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) {
    return {};
  }
  return {status.st_dev, status.st_ino, status.st_size, status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

// No value: the file does not exist.
tl::expected<std::optional<SharedConfigFile>, std::string> read_shared_config(
    const std::string& path) {
  if (path.empty()) {
    return std::nullopt;
  }
  const auto text = read_small_file(path, kLongestFile);
  if (!text) {
    return tl::unexpected(text.error());
  }
  if (!*text) {
    return std::nullopt;
  }
  return parse_shared_config(**text, path);
}

const SharedConfigSection* section_in(const std::optional<SharedConfigFile>& file,
                                      const std::string& name) {
  if (!file) {
    return nullptr;
  }
  const auto found = file->find(name);
  return found == file->end() ? nullptr : &found->second;
}

}  // namespace

ProfilePaths profile_paths(const Environment& environment) {
  const std::string home = value_of(environment, "HOME");
  const auto path_of = [&](const char* variable, const char* below_home) -> std::string {
    const std::string given = value_of(environment, variable);
    if (given.starts_with("~/") && !home.empty()) {
      return home + given.substr(1);
    }
    if (!given.empty()) {
      return given;
    }
    return home.empty() ? "" : home + below_home;
  };
  return {path_of("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials"),
          path_of("AWS_CONFIG_FILE", "/.aws/config")};
}

std::pair<FileVersion, FileVersion> versions_of(const ProfilePaths& paths) {
  return {version_of(paths.credentials), version_of(paths.config)};
}

const SharedConfigValue* ProfileFiles::Section::find(std::string_view key) const {
  if (values == nullptr) {
    return nullptr;
  }
  const auto found = values->values.find(key);
  return found == values->values.end() || found->second.value.empty() ? nullptr : &found->second;
}

tl::expected<ProfileFiles, std::string> ProfileFiles::read(ProfilePaths paths) {
  ProfileFiles files;
  auto credentials = read_shared_config(paths.credentials);
  if (!credentials) {
    return tl::unexpected(std::move(credentials.error()));
  }
  auto config = read_shared_config(paths.config);
  if (!config) {
    return tl::unexpected(std::move(config.error()));
  }
  files.paths_ = std::move(paths);
  files.credentials_ = std::move(*credentials);
  files.config_ = std::move(*config);
  return files;
}

ProfileFiles::Section ProfileFiles::in_credentials(const std::string& profile) const {
  return {section_in(credentials_, profile), &paths_.credentials};
}

ProfileFiles::Section ProfileFiles::in_config(const std::string& profile) const {
  const SharedConfigSection* section = section_in(config_, "profile " + profile);
  if (section == nullptr && profile == "default") {
    section = section_in(config_, profile);
  }
  return {section, &paths_.config};
}

bool ProfileFiles::has(const std::string& profile) const {
  return in_credentials(profile).values != nullptr || in_config(profile).values != nullptr;
}

std::optional<ProfileFiles::Setting> ProfileFiles::find(const std::string& profile,
                                                        std::string_view key) const {
  for (const Section& section : {in_credentials(profile), in_config(profile)}) {
    if (const SharedConfigValue* value = section.find(key)) {
      return Setting{value->value, section.place(value->line)};
    }
  }
  return std::nullopt;
}

std::string ProfileFiles::neither() const {
  if (paths_.credentials.empty() && paths_.config.empty()) {
    return "no file, since HOME is not set";
  }
  if (paths_.config.empty()) {
    return "not " + paths_.credentials;
  }
  return "neither " + paths_.credentials + " nor " + paths_.config;
}

}  // namespace invlog::aws

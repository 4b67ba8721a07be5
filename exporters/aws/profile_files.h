// The shared credentials and config files as a pair, and the profiles in them. Source: AWS SDKs and
// Tools Reference Guide, "Shared config and credentials files".
//
// A value, but for reading it; any thread. Errors: results with file and line, without the files'
// text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <tuple>
#include <utility>

#include "exporters/aws/credentials.h"
#include "exporters/aws/shared_config_file.h"

namespace invlog::aws {

struct ProfilePaths {
  std::string credentials, config;  // "": there is no such file
};

// AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE, or those in ~/.aws.
ProfilePaths profile_paths(const Environment& environment);

// What tells that a file changed: device, inode, size, and the time of its last change, which
// unlike the time of its last writing also moves with permissions and renames; all zero for a file
// that is not there.
using FileVersion =
    std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;
std::pair<FileVersion, FileVersion> versions_of(const ProfilePaths& paths);

class ProfileFiles {
 public:
  // A profile's section in one of the files; null where it has none.
  struct Section {
    const SharedConfigSection* values = nullptr;
    const std::string* path = nullptr;

    // A value that is not empty, or null.
    const SharedConfigValue* find(std::string_view key) const;
    std::string place(int line) const { return *path + ":" + std::to_string(line) + ": "; }
  };
  struct Setting {
    std::string value;
    std::string place;  // "/root/.aws/config:7: "
  };

  static tl::expected<ProfileFiles, std::string> read(ProfilePaths paths);

  Section in_credentials(const std::string& profile) const;
  Section in_config(const std::string& profile) const;
  bool has(const std::string& profile) const;
  // From the credentials file, else from the config file.
  std::optional<Setting> find(const std::string& profile, std::string_view key) const;
  // "neither ~/.aws/credentials nor ~/.aws/config"
  std::string neither() const;

 private:
  ProfilePaths paths_;
  std::optional<SharedConfigFile> credentials_, config_;
};

}  // namespace invlog::aws

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>
#include <tuple>

#include "exporters/aws/credentials.h"
#include "exporters/aws/shared_config_file.h"

namespace invlog::aws {
namespace {

// What tells that a file changed: device, inode, size, and the time of its last change, which
// unlike the time of its last writing also moves with permissions and renames; all zero for a file
// that is not there.
using FileVersion =
    std::tuple<std::uint64_t, std::uint64_t, std::int64_t, std::int64_t, std::int64_t>;

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
  const auto system_error = [&path](int code) {
    return tl::unexpected("cannot read " + path + ": " + std::strerror(code));
  };
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    if (errno == ENOENT || errno == ENOTDIR) {
      return std::nullopt;
    }
    return system_error(errno);
  }
  std::string text;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = ::read(descriptor, buffer, sizeof buffer)) > 0 || (size < 0 && errno == EINTR)) {
    text.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  }
  const int code = size < 0 ? errno : 0;
  ::close(descriptor);
  if (code != 0) {
    return system_error(code);
  }
  return parse_shared_config(text, path);
}

// Settings that make other SDKs fetch credentials. Taking the static keys beside them would sign as
// somebody else.
constexpr const char* kUnsupportedKeys[] = {
    "role_arn",       "web_identity_token_file", "sso_session",    "sso_start_url",
    "sso_account_id", "login_session",           "source_profile", "credential_source"};

const SharedConfigValue* value_in(const SharedConfigSection* section, std::string_view key) {
  if (section == nullptr) {
    return nullptr;
  }
  const auto found = section->values.find(key);
  return found == section->values.end() || found->second.value.empty() ? nullptr : &found->second;
}

const SharedConfigSection* section_in(const std::optional<SharedConfigFile>& file,
                                      const std::string& name) {
  if (!file) {
    return nullptr;
  }
  const auto found = file->find(name);
  return found == file->end() ? nullptr : &found->second;
}

class ProfileProvider final : public CredentialsProvider {
 public:
  ProfileProvider(Environment environment, std::string profile, SteadyClock clock)
      : clock_(std::move(clock)) {
    const auto first_of = [&environment](std::initializer_list<const char*> names) -> std::string {
      for (const char* name : names) {
        const std::optional<std::string> value = environment(name);
        if (value && !value->empty()) {
          return *value;
        }
      }
      return "";
    };
    const std::string home = first_of({"HOME"});
    const auto path_of = [&](const char* variable, const char* below_home) -> std::string {
      const std::string given = first_of({variable});
      if (given.starts_with("~/") && !home.empty()) {
        return home + given.substr(1);
      }
      if (!given.empty()) {
        return given;
      }
      return home.empty() ? "" : home + below_home;
    };
    credentials_path_ = path_of("AWS_SHARED_CREDENTIALS_FILE", "/.aws/credentials");
    config_path_ = path_of("AWS_CONFIG_FILE", "/.aws/config");
    profile_ = profile.empty() ? first_of({"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) : profile;
    named_ = !profile_.empty();
    if (!named_) {
      profile_ = "default";
    }
  }

  ProvideResult provide() override {
    const std::lock_guard lock(mutex_);
    const auto now = clock_();
    if (!checked_at_ || now - *checked_at_ >= std::chrono::seconds(1)) {
      checked_at_ = now;
      // Versions first: what changes while the files are being read is seen at the next check.
      const auto versions = std::pair(version_of(credentials_path_), version_of(config_path_));
      if (!read_ || versions != versions_) {
        versions_ = versions;
        read_ = true;
        result_ = read();
      }
    }
    return result_;
  }

 private:
  ProvideResult read() const {
    const auto credentials_file = read_shared_config(credentials_path_);
    if (!credentials_file) {
      return tl::unexpected(credentials_file.error());
    }
    const auto config_file = read_shared_config(config_path_);
    if (!config_file) {
      return tl::unexpected(config_file.error());
    }
    const SharedConfigSection* in_credentials = section_in(*credentials_file, profile_);
    const SharedConfigSection* in_config = section_in(*config_file, "profile " + profile_);
    if (in_config == nullptr && profile_ == "default") {
      in_config = section_in(*config_file, profile_);
    }
    if (in_credentials == nullptr && in_config == nullptr) {
      return absent();
    }
    for (const char* key : kUnsupportedKeys) {
      for (const auto& [section, path] :
           {std::pair(in_credentials, &credentials_path_), std::pair(in_config, &config_path_)}) {
        if (const SharedConfigValue* value = value_in(section, key)) {
          return unsupported(*path, value->line, key);
        }
      }
    }
    for (const auto& [section, path] :
         {std::pair(in_credentials, &credentials_path_), std::pair(in_config, &config_path_)}) {
      ProvideResult result = static_keys(section, *path);
      if (!result || *result) {
        return result;
      }
      if (const SharedConfigValue* value = value_in(section, "credential_process")) {
        return unsupported(*path, value->line, "credential_process");
      }
    }
    return without_keys(in_credentials != nullptr ? *in_credentials : *in_config,
                        in_credentials != nullptr ? credentials_path_ : config_path_);
  }

  ProvideResult static_keys(const SharedConfigSection* section, const std::string& path) const {
    const SharedConfigValue* id = value_in(section, "aws_access_key_id");
    const SharedConfigValue* secret = value_in(section, "aws_secret_access_key");
    if (id == nullptr && secret == nullptr) {
      return std::nullopt;
    }
    if (id == nullptr || secret == nullptr) {
      const SharedConfigValue& present = id == nullptr ? *secret : *id;
      return tl::unexpected(place(path, present.line) + "profile " + profile_ + " has " +
                            (id == nullptr ? "aws_secret_access_key, but no aws_access_key_id"
                                           : "aws_access_key_id, but no aws_secret_access_key"));
    }
    Credentials credentials;
    credentials.access_key_id = id->value;
    credentials.secret_access_key = secret->value;
    if (const SharedConfigValue* token = value_in(section, "aws_session_token")) {
      credentials.session_token = token->value;
    }
    credentials.source = "profile " + profile_ + " in " + path;
    return credentials;
  }

  ProvideResult absent() const {
    if (!named_) {
      return std::nullopt;
    }
    return tl::unexpected("profile " + profile_ + " is in neither " + shown(credentials_path_) +
                          " nor " + shown(config_path_) +
                          ": correct AWS_PROFILE, or add the profile");
  }

  // A default profile that only sets a Region is common, and no mistake.
  ProvideResult without_keys(const SharedConfigSection& section, const std::string& path) const {
    if (!named_) {
      return std::nullopt;
    }
    return tl::unexpected(place(path, section.line) + "profile " + profile_ +
                          " has no aws_access_key_id and aws_secret_access_key");
  }

  ProvideResult unsupported(const std::string& path, int line, const char* key) const {
    return tl::unexpected(
        place(path, line) + "profile " + profile_ + " uses " + key +
        ", which this version of invlog cannot follow: give it static keys (aws_access_key_id, "
        "aws_secret_access_key, aws_session_token) in a profile or in the environment, for "
        "instance from `aws configure export-credentials`");
  }

  static std::string place(const std::string& path, int line) {
    return path + ":" + std::to_string(line) + ": ";
  }

  static std::string shown(const std::string& path) {
    return path.empty() ? "(no file: HOME is not set)" : path;
  }

  const SteadyClock clock_;
  std::string credentials_path_, config_path_, profile_;
  bool named_ = false;  // somebody asked for this profile: its absence is an error

  std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::steady_clock::time_point> checked_at_;
  bool read_ = false;
  std::pair<FileVersion, FileVersion> versions_;
  ProvideResult result_;
};

}  // namespace

std::unique_ptr<CredentialsProvider> profile_provider(Environment environment, std::string profile,
                                                      SteadyClock clock) {
  return std::make_unique<ProfileProvider>(std::move(environment), std::move(profile),
                                           std::move(clock));
}

}  // namespace invlog::aws

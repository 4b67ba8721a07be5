#include "exporters/aws/systemd_credentials.h"

#include <utility>

#include "exporters/aws/token_file.h"

namespace invlog::aws {
namespace {

constexpr const char* kShared = "/aws-credentials";
constexpr const char* kId = "/aws-access-key-id";
constexpr const char* kSecret = "/aws-secret-access-key";
constexpr const char* kToken = "/aws-session-token";
constexpr std::size_t kLongest = 20000;

// "" if the file is not there.
tl::expected<std::string, std::string> value_in(const std::string& path) {
  const auto content = read_small_file(path, kLongest);
  if (content && !*content) {
    return std::string();
  }
  return content ? read_token_file(path, kLongest)
                 : tl::expected<std::string, std::string>(tl::unexpected(content.error()));
}

}  // namespace

SystemdCredentials::SystemdCredentials(const ChainOptions& options)
    : directory_(value_of(options.environment, "CREDENTIALS_DIRECTORY")),
      profile_named_(!options.profile.empty()),
      shared_format_(options, {directory_.empty() ? "" : directory_ + kShared, ""},
                     ProfileCredentials::Absence::nothing) {}

ProvideResult SystemdCredentials::provide() {
  if (directory_.empty()) {
    return std::nullopt;
  }
  ProvideResult result = shared_format_.provide();
  if (!result || *result || profile_named_) {
    return result;
  }
  return from_single_files();
}

ProvideResult SystemdCredentials::from_single_files() const {
  Credentials credentials;
  for (const auto& [file, value] : {std::pair(kId, &credentials.access_key_id),
                                    std::pair(kSecret, &credentials.secret_access_key),
                                    std::pair(kToken, &credentials.session_token)}) {
    auto content = value_in(directory_ + file);
    if (!content) {
      return tl::unexpected("systemd credentials: " + content.error());
    }
    *value = std::move(*content);
  }
  const bool id = !credentials.access_key_id.empty(),
             secret = !credentials.secret_access_key.empty();
  if (id != secret) {
    return tl::unexpected("systemd credentials: " + directory_ + " has " +
                          (id ? "aws-access-key-id, but no aws-secret-access-key"
                              : "aws-secret-access-key, but no aws-access-key-id"));
  }
  if (!id) {
    return std::nullopt;
  }
  credentials.source = "systemd credentials in " + directory_;
  return credentials;
}

std::string SystemdCredentials::why_nothing() const {
  return directory_.empty() ? "CREDENTIALS_DIRECTORY is not set"
                            : "no aws-credentials or aws-access-key-id in " + directory_;
}

}  // namespace invlog::aws

// AWS credentials and who supplies them. A provider is one link of the chain; the chain asks them
// in order.
//
// Threads: provide() may be called from any thread. Errors: an ordinary outcome is a result: no
// value means "not mine, ask the next"; an error means "mine, but unusable" (bad file, missing
// key), with the place and the cause. A secret never appears in an error or a log line; Credentials
// has no stream operator on purpose.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace invlog::aws {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;                                        // "" if none
  std::optional<std::chrono::system_clock::time_point> expiration;  // none: does not expire
  std::string source;  // "environment", "profile dev in /root/.aws/credentials"
};

using ProvideResult = tl::expected<std::optional<Credentials>, std::string>;
using Environment = std::function<std::optional<std::string>(const char* name)>;
Environment process_environment();

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  virtual ProvideResult provide() = 0;
  // The service called these credentials expired or unknown: the next provide() fetches anew.
  virtual void forget() {}
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
std::unique_ptr<CredentialsProvider> environment_provider(Environment environment);
// Static keys of a named profile in the shared credentials and config files
// (AWS_SHARED_CREDENTIALS_FILE, AWS_CONFIG_FILE, AWS_PROFILE; ~/.aws). Files are read again when
// they change, which `clock` (called under a lock) lets it check at most once a second. No profile
// asked for and no [default] there: no value.
using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;
std::unique_ptr<CredentialsProvider> profile_provider(
    Environment environment, std::string profile = "",
    SteadyClock clock = std::chrono::steady_clock::now);
// In order; the first value or error wins.
std::unique_ptr<CredentialsProvider> provider_chain(
    std::vector<std::unique_ptr<CredentialsProvider>> links);
// What the agent uses: environment, then profile.
std::unique_ptr<CredentialsProvider> default_chain(Environment environment);

}  // namespace invlog::aws

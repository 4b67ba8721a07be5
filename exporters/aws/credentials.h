// AWS credentials and who supplies them. A provider is one link of the chain; the chain
// (credential_chain.h) asks them in order.
//
// Threads: provide() and forget() may be called from any thread, unless a link's header says that
// only its cache calls it. Errors: an ordinary outcome is a result: no value means "not mine, ask
// the next"; an error means "mine, but unusable" (bad file, missing key), with the place and the
// cause. A secret never appears in an error or a log line; Credentials has no stream operator on
// purpose.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace invlog::aws {

struct Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;                                        // "" if none
  std::optional<std::chrono::system_clock::time_point> expiration;  // none: does not expire
  std::string source;  // "environment", "profile dev in /root/.aws/credentials"
};

struct CredentialsError {
  // Not explicit: most faults are a person's to mend.
  CredentialsError(std::string text, bool passes = false)
      : message(std::move(text)), may_pass(passes) {}

  std::string message;
  bool may_pass;  // without anybody doing anything: a throttled STS, a metadata service that is ill
};

using ProvideResult = tl::expected<std::optional<Credentials>, CredentialsError>;
using Environment = std::function<std::optional<std::string>(const char* name)>;
using SystemClock = std::function<std::chrono::system_clock::time_point()>;
using SteadyClock = std::function<std::chrono::steady_clock::time_point()>;
Environment process_environment();
// The variable's value, "" if it is not set.
std::string value_of(const Environment& environment, const char* name);

// Whether it is nothing but printable ASCII: keys and tokens go into headers.
bool fits_a_header(std::string_view text);

// What one link of the chain says, for `invlog doctor`. Holds no secret.
struct LinkReport {
  enum class Outcome {
    not_configured,  // it has nothing to give: the next link is asked
    answered,        // these credentials are used
    failed,          // it should give some, and cannot: the chain ends here
    not_asked        // a link before it decided
  };
  std::string link;  // "environment", "profile dev", "IMDS"
  Outcome outcome = Outcome::not_asked;
  std::string detail;  // answered: Credentials::source; failed, not_configured: why
  std::optional<std::chrono::system_clock::time_point> expiration;  // answered, where there is one
};

class CredentialsProvider {
 public:
  virtual ~CredentialsProvider() = default;
  virtual ProvideResult provide() = 0;
  // The service called these credentials expired or unknown: the next provide() fetches anew.
  virtual void forget() {}

  // Asks each link as provide() does, and tells what each said.
  virtual std::vector<LinkReport> explain();
  // "environment", "profile dev".
  virtual std::string name() const { return "credentials"; }
  // Why the last provide() gave nothing: "AWS_ACCESS_KEY_ID is not set".
  virtual std::string why_nothing() const { return "not configured"; }
};

// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
std::unique_ptr<CredentialsProvider> environment_provider(Environment environment);
// In order; the first value or error wins.
std::unique_ptr<CredentialsProvider> provider_chain(
    std::vector<std::unique_ptr<CredentialsProvider>> links);

}  // namespace invlog::aws

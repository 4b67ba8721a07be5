// What the tests of the credential chain share: an environment from a map, HTTP from a function,
// clocks that a test moves, and STS's answers.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "tests/contains.h"

namespace invlog::tests {

using Variables = std::map<std::string, std::string>;

inline aws::Environment environment_of(Variables variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

// The error of a provider that must have one, or what it gave instead.
inline std::string error_of(const aws::ProvideResult& result) {
  return result ? std::string(*result ? "credentials" : "nothing") : result.error().message;
}

// Whether there is an error, and one that may pass by itself.
inline bool may_pass(const aws::ProvideResult& result) {
  return !result && result.error().may_pass;
}

// The key id that was given, or the error, or "nothing".
inline std::string key_of(const aws::ProvideResult& result) {
  return result && *result ? (*result)->access_key_id : error_of(result);
}

inline std::string header_of(const aws::HttpHeaders& headers, const std::string& name) {
  for (const auto& [key, value] : headers) {
    if (key == name) {
      return value;
    }
  }
  return "";
}

inline aws::HttpResponse http_response(int status, std::string body,
                                       aws::HttpHeaders headers = {}) {
  return {status, std::move(headers), std::move(body)};
}

inline tl::unexpected<aws::HttpFailure> http_failure(aws::HttpFailure::Kind kind) {
  return tl::unexpected(aws::HttpFailure{kind, "no answer from the host"});
}

// HTTP that answers as `answer` says, and remembers what it was asked.
struct ScriptedHttp {
  struct Asked {
    std::string method, url, body;
    aws::HttpHeaders headers;
    bool direct = false;
    std::chrono::milliseconds connect_timeout{0}, total_timeout{0};
  };
  std::function<aws::HttpResult(const Asked&)> answer = [](const Asked&) -> aws::HttpResult {
    return http_failure(aws::HttpFailure::Kind::connect);
  };
  std::vector<Asked> asked;
  std::mutex mutex;

  aws::HttpClientFactory factory() {
    return [this] { return std::make_unique<Client>(*this); };
  }

 private:
  class Client final : public aws::HttpClient {
   public:
    explicit Client(ScriptedHttp& script) : script_(script) {}
    aws::HttpResult send(const aws::HttpRequest& request) override {
      const std::lock_guard lock(script_.mutex);
      script_.asked.push_back({request.method, request.url, std::string(request.body),
                               request.headers, request.direct, request.connect_timeout,
                               request.total_timeout});
      const Asked asked = script_.asked.back();
      return script_.answer(asked);
    }

   private:
    ScriptedHttp& script_;
  };
};

// 2026-01-01T00:00:00Z
inline constexpr std::chrono::sys_seconds kNow{std::chrono::seconds(1767225600)};

// Chain options whose clocks, HTTP and waits are the test's.
struct CredentialScene {
  ScriptedHttp http;
  std::chrono::system_clock::time_point now{kNow};
  std::chrono::steady_clock::time_point steady_now{std::chrono::hours(1)};
  std::vector<std::chrono::milliseconds> slept;
  double random = 0;  // no jitter

  aws::ChainOptions options(Variables variables = {}) {
    aws::ChainOptions options;
    options.environment = environment_of(std::move(variables));
    options.region = "eu-central-1";
    options.http = http.factory();
    options.system_clock = [this] { return now; };
    options.steady_clock = [this] { return steady_now; };
    options.random = [this] { return random; };
    options.sleep = [this](std::chrono::milliseconds duration) { slept.push_back(duration); };
    return options;
  }
  void pass(std::chrono::milliseconds duration) {
    now += duration;
    steady_now += duration;
  }
};

// STS's answer to AssumeRole or AssumeRoleWithWebIdentity.
inline std::string sts_answer(const std::string& action, const std::string& key,
                              const std::string& expiration = "2026-01-01T01:00:00Z") {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><Credentials><AccessKeyId>" + key + "</AccessKeyId><SecretAccessKey>secret-of-" +
         key + "</SecretAccessKey><SessionToken>token-of-" + key + "</SessionToken><Expiration>" +
         expiration + "</Expiration></Credentials></" + action + "Result></" + action + "Response>";
}

inline std::string sts_error(const std::string& code, const std::string& message) {
  return "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender"
         "</Type><Code>" +
         code + "</Code><Message>" + message + "</Message></Error></ErrorResponse>";
}

}  // namespace invlog::tests

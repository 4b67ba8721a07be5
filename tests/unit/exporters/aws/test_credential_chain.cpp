#include "exporters/aws/credential_chain.h"

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;
using Outcome = LinkReport::Outcome;

namespace {

const std::string kArn = "arn:aws:iam::123456789012:role/pod";
// Each link's secrets; no message may hold one of them.
const std::vector<std::string> kSecrets = {
    "envSecret0123456789AB", "envToken0123456789ABC", "unitSecret0123456789A",
    "fileSecret0123456789A", "webToken0123456789ABC", "bearerToken0123456789",
    "agentSecret0123456789", "agentToken01234567890", "imdsSecret0123456789A",
    "imdsToken0123456789AB", "imdsSession0123456789", "secret-of-ASIAPOD",
    "token-of-ASIAPOD",      "processSecret01234567"};

std::string json_keys(const std::string& key, const std::string& secret, const std::string& token) {
  return R"({"Code":"Success","Version":1,"AccessKeyId":")" + key + R"(","SecretAccessKey":")" +
         secret + R"(","Token":")" + token + R"(","Expiration":"2026-01-01T06:00:00Z"})";
}

using Answer = std::function<HttpResult(const ScriptedHttp::Asked&)>;

// An error that repeats all that the request held.
HttpResult echo(const ScriptedHttp::Asked& asked) {
  std::string text = asked.body;
  for (const auto& [name, value] : asked.headers) {
    text += " " + value;
  }
  return contains(asked.url, "https://sts.")
             ? http_response(403, sts_error("AccessDenied", text))
             : http_response(403, R"({"code":"Bad","message":")" + text + R"("})");
}

// A host on which every link has credentials; a test takes them away.
struct Host {
  TemporaryDirectory home;
  CredentialScene scene;
  Variables variables;
  std::string profile;
  std::unique_ptr<CredentialsProvider> chain;
  Answer sts = [](const auto&) {
    return http_response(200, sts_answer("AssumeRoleWithWebIdentity", "ASIAPOD"));
  };
  Answer agent = [](const auto&) {
    return http_response(200,
                         json_keys("ASIAAGENT", "agentSecret0123456789", "agentToken01234567890"));
  };
  Answer imds = [](const auto&) {
    return http_response(200,
                         json_keys("ASIAIMDS", "imdsSecret0123456789A", "imdsSession0123456789"));
  };

  Host() {
    home.write("unit/aws-access-key-id", "AKIDUNIT");
    home.write("unit/aws-secret-access-key", "unitSecret0123456789A");
    home.write(".aws/credentials",
               "[default]\naws_access_key_id = AKIDFILE\n"
               "aws_secret_access_key = fileSecret0123456789A\n");
    home.write("token", "webToken0123456789ABC");
    variables = {{"HOME", home.path()},
                 {"AWS_ACCESS_KEY_ID", "AKIDENV"},
                 {"AWS_SECRET_ACCESS_KEY", "envSecret0123456789AB"},
                 {"AWS_SESSION_TOKEN", "envToken0123456789ABC"},
                 {"CREDENTIALS_DIRECTORY", home.path() + "/unit"},
                 {"AWS_WEB_IDENTITY_TOKEN_FILE", home.path() + "/token"},
                 {"AWS_ROLE_ARN", kArn},
                 {"AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/keys"},
                 {"AWS_CONTAINER_AUTHORIZATION_TOKEN", "bearerToken0123456789"}};
    scene.http.answer = [this](const ScriptedHttp::Asked& asked) -> HttpResult {
      if (contains(asked.url, "https://sts.")) {
        return sts(asked);
      }
      if (asked.url == "http://127.0.0.1/keys") {
        return agent(asked);
      }
      if (asked.url.ends_with("/api/token")) {
        auto answered = imds(asked);
        return answered ? http_response(200, "imdsToken0123456789AB") : answered;
      }
      return asked.url.ends_with("/security-credentials/") ? http_response(200, "web")
                                                           : imds(asked);
    };
  }
  CredentialsProvider& open() {
    ChainOptions options = scene.options(variables);
    options.profile = profile;
    chain = default_chain(options);
    return *chain;
  }
  // One link after the other is taken away, from the first to this one.
  void remove_environment() {
    variables.erase("AWS_ACCESS_KEY_ID");
    variables.erase("AWS_SECRET_ACCESS_KEY");
  }
  void remove_unit() { std::filesystem::remove_all(home.path() + "/unit"); }
  void remove_file() { std::filesystem::remove_all(home.path() + "/.aws"); }
  void remove_web_identity() { variables.erase("AWS_WEB_IDENTITY_TOKEN_FILE"); }
  void remove_agent() { variables.erase("AWS_CONTAINER_CREDENTIALS_FULL_URI"); }
  void remove_imds() {
    imds = [](const auto&) -> HttpResult { return http_failure(HttpFailure::Kind::connect); };
  }
};

// "environment: nothing, systemd credentials: answered, ..."
std::string outcomes(const std::vector<LinkReport>& reports) {
  std::string text;
  for (const LinkReport& report : reports) {
    constexpr const char* kNames[] = {"nothing", "answered", "failed", "not asked"};
    text +=
        (text.empty() ? "" : ", ") + report.link + ": " + kNames[static_cast<int>(report.outcome)];
  }
  return text;
}

}  // namespace

TEST_CASE("the links of the chain are asked in order, and the first that has credentials decides") {
  Host host;
  struct Step {
    std::string key;
    std::size_t calls;  // of HTTP
    std::function<void()> remove;
  };
  const Step steps[] = {{"AKIDENV", 0, [&] { host.remove_environment(); }},
                        {"AKIDUNIT", 0, [&] { host.remove_unit(); }},
                        {"AKIDFILE", 0, [&] { host.remove_file(); }},
                        {"ASIAPOD", 1, [&] { host.remove_web_identity(); }},
                        {"ASIAAGENT", 1, [&] { host.remove_agent(); }},
                        {"ASIAIMDS", 3, [&] { host.remove_imds(); }},
                        {"nothing", 1, [] {}}};
  for (const Step& step : steps) {
    host.scene.http.asked.clear();
    CHECK(key_of(host.open().provide()) == step.key);
    CHECK(host.scene.http.asked.size() == step.calls);
    step.remove();
  }
}

TEST_CASE("the chain tells which link answered, and why those before it did not") {
  Host host;
  host.remove_environment();
  host.remove_unit();
  host.remove_file();
  auto reports = host.open().explain();
  CHECK(outcomes(reports) ==
        "environment: nothing, systemd credentials: nothing, profile default: nothing, web "
        "identity: answered, container: not asked, IMDS: not asked");
  CHECK(reports[0].detail == "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set");
  CHECK(reports[1].detail ==
        "no aws-credentials or aws-access-key-id in " + host.home.path() + "/unit");
  CHECK(contains(reports[2].detail, host.home.path() + "/.aws/credentials and "));
  CHECK(contains(reports[2].detail, ": no credentials of the profile default"));
  CHECK(reports[3].detail == "web identity " + kArn);
  CHECK(reports[3].expiration == kNow + 1h);
  CHECK(reports[4].detail == "a link before it decided");

  host.remove_web_identity();
  host.remove_agent();
  host.remove_imds();
  reports = host.open().explain();
  CHECK(outcomes(reports) ==
        "environment: nothing, systemd credentials: nothing, profile default: nothing, web "
        "identity: nothing, container: nothing, IMDS: nothing");
  CHECK(contains(reports[4].detail, "AWS_CONTAINER_CREDENTIALS_FULL_URI is set"));
  CHECK(contains(reports[5].detail, "no answer from the host"));
}

TEST_CASE("a link that should have credentials and cannot give them ends the chain") {
  Host host;
  host.remove_environment();
  host.remove_unit();
  host.remove_file();
  host.sts = [](const auto&) {
    return http_response(403, sts_error("AccessDenied", "not this one"));
  };
  const auto reports = host.open().explain();
  CHECK(outcomes(reports) ==
        "environment: nothing, systemd credentials: nothing, profile default: nothing, web "
        "identity: failed, container: not asked, IMDS: not asked");
  CHECK(contains(reports[3].detail, "AccessDenied"));
  CHECK(contains(error_of(host.chain->provide()), "AccessDenied"));
}

TEST_CASE("a profile that configuration names is used instead of the environment, and alone") {
  Host host;
  host.profile = "dev";
  CHECK(contains(error_of(host.open().provide()), "profile dev is in neither "));
  CHECK(outcomes(host.chain->explain()) == "systemd credentials: nothing, profile dev: failed");
  host.home.write(".aws/config", "[profile dev]\nregion = eu-central-1\n");
  CHECK(contains(error_of(host.open().provide()),
                 "/.aws/config:1: profile dev has no aws_access_key_id"));
  host.home.write(".aws/config",
                  "[profile dev]\naws_access_key_id = AKIDDEV\naws_secret_access_key = S\n");
  CHECK(key_of(host.open().provide()) == "AKIDDEV");
  CHECK(host.scene.http.asked.empty());
  // Systemd's file may have it, too.
  host.home.write("unit/aws-credentials",
                  "[dev]\naws_access_key_id = AKIDUNITDEV\naws_secret_access_key = S\n");
  CHECK(key_of(host.open().provide()) == "AKIDUNITDEV");
}

TEST_CASE(
    "a profile that AWS_PROFILE names must be there, though the environment's keys go first") {
  Host host;
  host.variables["AWS_PROFILE"] = "dev";
  CHECK(key_of(host.open().provide()) == "AKIDENV");
  host.remove_environment();
  host.remove_unit();
  CHECK(contains(error_of(host.open().provide()), "profile dev is in neither "));
  CHECK(host.scene.http.asked.empty());
}

TEST_CASE("a profile that AWS_PROFILE names and that has no credentials leaves them to the next") {
  for (const std::string name : {"dev", "default"}) {
    Host host;
    host.variables["AWS_PROFILE"] = name;
    host.home.write(".aws/config", "[profile " + name + "]\nregion = eu-central-1\n");
    host.home.write(".aws/credentials", "[another]\n");
    host.remove_environment();
    host.remove_unit();
    CHECK(key_of(host.open().provide()) == "ASIAPOD");
    host.remove_web_identity();
    host.remove_agent();
    CHECK(key_of(host.open().provide()) == "ASIAIMDS");
    const auto reports = host.chain->explain();
    CHECK(outcomes(reports) ==
          "environment: nothing, systemd credentials: nothing, profile " + name +
              ": nothing, web identity: nothing, container: nothing, IMDS: answered");
    CHECK(reports[2].detail == host.home.path() + "/.aws/credentials and " + host.home.path() +
                                   "/.aws/config: no credentials of the profile " + name);
    // Half of them is no such profile.
    host.home.write(".aws/credentials", "[" + name + "]\naws_access_key_id = A\n");
    CHECK(contains(error_of(host.open().provide()), "has aws_access_key_id, but no aws_secret"));
  }
}

TEST_CASE("a host without any credentials does not ask IMDS at every call") {
  Host host;
  host.remove_environment();
  host.remove_unit();
  host.remove_file();
  host.remove_web_identity();
  host.remove_agent();
  host.remove_imds();
  CredentialsProvider& chain = host.open();
  for (int second = 0; second < 60; ++second) {
    CHECK(error_of(chain.provide()) == "nothing");
    host.scene.pass(1s);
  }
  CHECK(host.scene.http.asked.size() == 1);
  // A role that is attached later is found.
  host.imds = [](const auto&) { return http_response(200, json_keys("ASIALATE", "s", "t")); };
  CHECK(key_of(chain.provide()) == "ASIALATE");

  host.variables["AWS_EC2_METADATA_DISABLED"] = "true";
  host.scene.http.asked.clear();
  CHECK(error_of(host.open().provide()) == "nothing");
  CHECK(host.chain->explain().back().detail == "AWS_EC2_METADATA_DISABLED is true");
  CHECK(host.scene.http.asked.empty());
}

TEST_CASE("refused credentials are fetched anew by the link that gave them") {
  Host host;
  host.remove_environment();
  host.remove_unit();
  host.remove_file();
  host.remove_web_identity();
  CredentialsProvider& chain = host.open();
  CHECK(key_of(chain.provide()) == "ASIAAGENT");
  host.agent = [](const auto&) { return http_response(200, json_keys("ASIANEXT", "s", "t")); };
  host.scene.pass(10s);
  CHECK(key_of(chain.provide()) == "ASIAAGENT");
  chain.forget();
  CHECK(key_of(chain.provide()) == "ASIANEXT");
}

TEST_CASE("no message of any link holds a secret, whatever goes wrong and whoever repeats it") {
  // What a service, an agent or IMDS could say: everything it was sent, or was to give.
  std::string everything;
  for (const std::string& secret : kSecrets) {
    everything += secret + " ";
  }
  const std::vector<Answer> answers = {
      [](const auto&) -> HttpResult { return http_failure(HttpFailure::Kind::connect); },
      [](const auto&) -> HttpResult { return http_failure(HttpFailure::Kind::timeout); },
      [&](const auto&) -> HttpResult { return http_response(200, everything); },
      [&](const auto&) -> HttpResult { return http_response(200, "{" + everything); },
      echo,
      [&](const auto&) -> HttpResult { return http_response(500, "<html>" + everything); },
      [](const auto&) -> HttpResult {
        return http_response(403, sts_error("AccessDenied", "the token webToken0123456789ABC"));
      },
      [](const auto&) -> HttpResult {
        return http_response(200, json_keys("A\\r\\nB", "agentSecret0123456789", "t"));
      },
      [](const auto&) -> HttpResult {
        return http_response(200, json_keys("A", "agentSecret0123456789 ", "t"));
      },
      [](const auto&) -> HttpResult {
        return http_response(200, R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":")"
                                  R"(imdsSecret0123456789A","Token":"imdsSession0123456789",)"
                                  R"("Expiration":"agentToken01234567890"})");
      },
      [](const auto&) -> HttpResult {
        return http_response(200, sts_answer("AssumeRole", "ASIAPOD"));
      },
      [](const auto&) -> HttpResult {
        return http_response(200, sts_answer("AssumeRoleWithWebIdentity", "ASIAPOD", "never"));
      }};
  std::vector<std::string> messages;
  const auto collect = [&messages](Host& host) {
    for (int round = 0; round < 2; ++round) {
      const auto result = host.chain->provide();
      messages.push_back(error_of(result));
      for (const LinkReport& report : host.chain->explain()) {
        messages.push_back(report.link + ": " + report.detail);
      }
      host.scene.pass(2h);
    }
  };
  using Removal = void (Host::*)();
  const std::vector<Removal> removals = {&Host::remove_environment, &Host::remove_unit,
                                         &Host::remove_file, &Host::remove_web_identity,
                                         &Host::remove_agent};
  for (std::size_t removed = 0; removed <= removals.size(); ++removed) {
    for (const auto& answer : answers) {
      Host host;
      for (std::size_t at = 0; at < removed; ++at) {
        (host.*removals[at])();
      }
      host.sts = host.agent = host.imds = answer;
      host.open();
      collect(host);
    }
  }
  // Files and variables that are damaged around their secrets.
  const std::vector<std::pair<std::string, std::string>> files = {
      {".aws/credentials", "[default]\nfileSecret0123456789A\n"},
      {".aws/credentials", "fileSecret0123456789A = x\n"},
      {".aws/credentials", "[default\naws_secret_access_key = fileSecret0123456789A\n"},
      {".aws/credentials", "[default]\naws_secret_access_key = fileSecret0123456789A\n"},
      {".aws/credentials",
       "[default]\nrole_arn = fileSecret0123456789A\naws_access_key_id = A\n"
       "aws_secret_access_key = fileSecret0123456789A\nsource_profile = default\n"},
      {".aws/config",
       "[default]\ncredential_process = sh -c 'echo processSecret01234567; echo "
       "processSecret01234567 >&2; exit 3'\n"},
      {".aws/config",
       "[default]\ncredential_process = sh -c 'echo \"{\\\"Version\\\":1,\\\"SecretAccessKey\\\":"
       "\\\"processSecret01234567\\\"}\"'\n"},
      {".aws/config", "[default]\ncredential_process = sh -c 'echo processSecret01234567\n"},
      {"unit/aws-secret-access-key", "unitSecret0123456789A\nunitSecret0123456789A"},
      {"token", "webToken0123456789ABC\nwebToken0123456789ABC"}};
  for (const auto& [name, content] : files) {
    Host host;
    host.remove_environment();
    if (!name.starts_with("unit/")) {
      host.remove_unit();
    }
    if (name == "token" || name == ".aws/config") {
      host.remove_file();
    }
    host.home.write(name, content);
    host.open();
    const auto first = host.chain->provide();
    INFO(name + ": " + content);
    CHECK(!first);
    collect(host);
  }
  for (const std::string url : {"http://bearerToken0123456789:agentToken01234567890@127.0.0.1/",
                                "http://10.0.0.1/?agentToken01234567890"}) {
    Host host;
    for (const Removal removal : {&Host::remove_environment, &Host::remove_unit, &Host::remove_file,
                                  &Host::remove_web_identity}) {
      (host.*removal)();
    }
    host.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = url;
    host.open();
    collect(host);
  }
  CHECK(messages.size() > 500);
  std::size_t hidden = 0;
  for (const std::string& message : messages) {
    hidden += contains(message, "[hidden]");
    for (const std::string& secret : kSecrets) {
      INFO(message);
      CHECK(!contains(message, secret));
    }
  }
  CHECK(hidden >= 10);
}

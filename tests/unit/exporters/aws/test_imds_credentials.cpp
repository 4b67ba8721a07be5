#include "exporters/aws/imds_credentials.h"

#include <functional>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;
using Kind = HttpFailure::Kind;

namespace {

constexpr const char* kRoles = "/latest/meta-data/iam/security-credentials/";
const std::string kToken = "AQAEAJjHhushTOKENhushCz0sPhush==";
constexpr const char* kAnswer =
    R"({"Code":"Success","AccessKeyId":"AKID","SecretAccessKey":"hushhush","Token":"T",)"
    R"("Expiration":"2026-01-01T06:00:00Z"})";

// An instance: each answer can be replaced.
struct Instance {
  CredentialScene scene;
  ImdsCredentials provider;
  using Answer = std::function<HttpResult(const ScriptedHttp::Asked&)>;
  Answer token = [](const auto&) { return http_response(200, kToken + "\n"); };
  Answer list = [](const auto&) { return http_response(200, "web\n"); };
  Answer keys = [](const auto&) { return http_response(200, kAnswer); };

  explicit Instance(const Variables& variables = {}) : provider(scene.options(variables)) {
    scene.http.answer = [this](const ScriptedHttp::Asked& asked) -> HttpResult {
      if (asked.url.ends_with("/latest/api/token")) {
        return token(asked);
      }
      return asked.url.ends_with(kRoles) ? list(asked) : keys(asked);
    };
  }
  std::vector<std::string> requests() const {
    std::vector<std::string> lines;
    for (const auto& asked : scene.http.asked) {
      lines.push_back(asked.method + " " + asked.url);
    }
    return lines;
  }
  std::string token_of(std::size_t request) const {
    return header_of(scene.http.asked.at(request).headers, "x-aws-ec2-metadata-token");
  }
};

Instance::Answer status(int code, const std::string& body = "") {
  return [code, body](const auto&) { return http_response(code, body); };
}

Instance::Answer failure(Kind kind) {
  return [kind](const auto&) -> HttpResult { return http_failure(kind); };
}

}  // namespace

TEST_CASE("an instance's role is fetched with a token, directly, within a second a request") {
  Instance instance;
  const auto result = instance.provider.provide();
  REQUIRE(key_of(result) == "AKID");
  CHECK((*result)->secret_access_key == "hushhush");
  CHECK((*result)->session_token == "T");
  CHECK((*result)->expiration == kNow + 6h);
  CHECK((*result)->source == "IMDS role web");
  const std::string base = "http://169.254.169.254";
  CHECK(instance.requests() == std::vector<std::string>{"PUT " + base + "/latest/api/token",
                                                        "GET " + base + kRoles,
                                                        "GET " + base + kRoles + "web"});
  for (const auto& asked : instance.scene.http.asked) {
    CHECK(asked.direct);
    CHECK(asked.connect_timeout == 1s);
    CHECK(asked.total_timeout == 1s);
  }
  CHECK(header_of(instance.scene.http.asked[0].headers, "x-aws-ec2-metadata-token-ttl-seconds") ==
        "21600");
  CHECK(instance.token_of(1) == kToken);
  CHECK(instance.token_of(2) == kToken);
}

TEST_CASE("a token is used for 5 seconds less than it lives") {
  Instance instance;
  CHECK(key_of(instance.provider.provide()) == "AKID");
  instance.scene.steady_now += 21594s;
  CHECK(key_of(instance.provider.provide()) == "AKID");
  CHECK(instance.scene.http.asked.size() == 5);  // no second PUT
  instance.scene.steady_now += 1s;
  CHECK(key_of(instance.provider.provide()) == "AKID");
  CHECK(instance.scene.http.asked.size() == 8);

  Instance shorter;
  shorter.token = [](const auto&) {
    return http_response(200, "TOKEN", {{"x-aws-ec2-metadata-token-ttl-seconds", "60"}});
  };
  CHECK(key_of(shorter.provider.provide()) == "AKID");
  shorter.scene.steady_now += 55s;
  CHECK(key_of(shorter.provider.provide()) == "AKID");
  CHECK(shorter.requests()[3].starts_with("PUT "));
}

TEST_CASE("a token that is refused is replaced, once") {
  Instance instance;
  int tokens = 0;
  instance.token = [&](const auto&) {
    return http_response(200, "TOKEN-" + std::to_string(++tokens));
  };
  instance.list = [&](const auto& asked) {
    return header_of(asked.headers, "x-aws-ec2-metadata-token") == "TOKEN-2"
               ? http_response(200, "web")
               : http_response(401, "");
  };
  CHECK(key_of(instance.provider.provide()) == "AKID");
  CHECK(tokens == 2);
  instance.list = status(401);
  CHECK(contains(error_of(instance.provider.provide()), "status 401"));
  CHECK(tokens == 3);
}

TEST_CASE("where version 2 is not there, version 1 is asked, unless that is forbidden") {
  for (const int code : {403, 404, 405}) {
    Instance instance;
    instance.token = status(code);
    CHECK(key_of(instance.provider.provide()) == "AKID");
    CHECK(instance.token_of(1) == "");
    CHECK(instance.scene.http.asked.size() == 4);  // the token is asked for again, before the keys

    Instance forbidden(Variables{{"AWS_EC2_METADATA_V1_DISABLED", "True"}});
    forbidden.token = status(code);
    const std::string error = error_of(forbidden.provider.provide());
    CHECK(contains(error,
                   "IMDS: http://169.254.169.254 answered with status " + std::to_string(code)));
    CHECK(contains(error, "AWS_EC2_METADATA_V1_DISABLED"));
    CHECK(forbidden.scene.http.asked.size() == 1);
  }
  Instance slow;
  slow.token = failure(Kind::timeout);
  CHECK(key_of(slow.provider.provide()) == "AKID");
  Instance slow_and_forbidden(Variables{{"AWS_EC2_METADATA_V1_DISABLED", "true"}});
  slow_and_forbidden.token = failure(Kind::timeout);
  CHECK(error_of(slow_and_forbidden.provider.provide()) == "nothing");
  CHECK(slow_and_forbidden.scene.http.asked.size() == 1);
}

TEST_CASE("an instance that insists on version 2 from a container is told how to reach it") {
  Instance instance;
  instance.token = failure(Kind::timeout);
  instance.list = status(401);
  CHECK(contains(error_of(instance.provider.provide()), "HttpPutResponseHopLimit"));
}

TEST_CASE("a token request that the service calls wrong is an error, and so is a broken one") {
  for (const int code : {400, 500, 503, 301}) {
    Instance instance;
    instance.token = status(code, R"({"message":"why"})");
    CHECK(error_of(instance.provider.provide()) ==
          "IMDS: http://169.254.169.254 answered with status " + std::to_string(code) +
              " for a token of version 2: why");
    CHECK(instance.scene.http.asked.size() == 1);
    CHECK(may_pass(instance.provider.provide()) == (code >= 500));
  }
  for (const std::string token : {"", " \n", "a\r\nX-Header: b", "a b"}) {
    Instance instance;
    instance.token = status(200, token);
    CHECK(contains(error_of(instance.provider.provide()), "did not answer with a token"));
  }
}

TEST_CASE("where nobody answers there is nothing, quickly") {
  for (const Kind kind : {Kind::connect, Kind::resolve}) {
    Instance instance;
    instance.token = failure(kind);
    CHECK(error_of(instance.provider.provide()) == "nothing");
    CHECK(contains(instance.provider.why_nothing(), "no answer from the host"));
    CHECK(instance.scene.http.asked.size() == 1);
  }
  Instance silent;
  silent.token = silent.list = failure(Kind::timeout);
  CHECK(error_of(silent.provider.provide()) == "nothing");
  CHECK(silent.scene.http.asked.size() == 2);
}

TEST_CASE("where an instance answered once, its silence is an error") {
  Instance instance;
  CHECK(key_of(instance.provider.provide()) == "AKID");
  instance.list = failure(Kind::timeout);
  const auto silence = instance.provider.provide();
  CHECK(error_of(silence) == "IMDS: no answer from the host");
  CHECK(may_pass(silence));
}

TEST_CASE("an instance without a role has nothing") {
  Instance instance;
  instance.list = status(404, "<html>Not Found</html>");
  CHECK(error_of(instance.provider.provide()) == "nothing");
  CHECK(instance.provider.why_nothing() == "no role is attached to this instance");
}

TEST_CASE("answers that give no credentials are errors without secrets") {
  struct Case {
    Instance::Answer list, keys;
    std::string expected;
  };
  const Instance::Answer good = status(200, "web");
  const Case cases[] = {
      {status(500), nullptr, "status 500 for the role's name"},
      {status(200, ""), nullptr, "did not answer with a role's name"},
      {status(200, "<html>hushhush</html>"), nullptr, "did not answer with a role's name"},
      {status(200, "../../user-data"), nullptr, "did not answer with a role's name"},
      {good, status(404), "status 404 for role web"},
      {good, status(500, kToken), "status 500 for role web"},
      {good, status(429, R"({"message":"token )" + kToken + "\"}"),
       "status 429 for role web: token [hidden]"},
      {good, failure(Kind::broken), "no answer from the host"},
      {good, status(200, "{"), "the answer for role web: not a JSON object"},
      {good, status(200, R"({"Code":"AssumeRoleUnauthorizedAccess","Message":"no trust"})"),
       "Code is AssumeRoleUnauthorizedAccess: no trust"},
      {good,
       status(200, R"({"Code":"Success","AccessKeyId":"A","SecretAccessKey":"hushhush",)"
                   R"("Token":"T","Expiration":"soon"})"),
       "Expiration is not a time"}};
  for (const Case& each : cases) {
    INFO(each.expected);
    Instance instance;
    instance.list = each.list;
    instance.keys = each.keys;
    const std::string error = error_of(instance.provider.provide());
    CHECK(error.starts_with("IMDS: "));
    CHECK(contains(error, each.expected));
    CHECK(!contains(error, "hushhush"));
    CHECK(!contains(error, kToken));
  }
}

TEST_CASE("the environment turns IMDS off, moves it, and sets its patience") {
  Instance off(Variables{{"AWS_EC2_METADATA_DISABLED", "TRUE"}});
  CHECK(error_of(off.provider.provide()) == "nothing");
  CHECK(off.provider.why_nothing() == "AWS_EC2_METADATA_DISABLED is true");
  CHECK(off.scene.http.asked.empty());
  Instance not_off(Variables{{"AWS_EC2_METADATA_DISABLED", "false"}});
  CHECK(key_of(not_off.provider.provide()) == "AKID");

  Instance ipv6(Variables{{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6"}});
  CHECK(key_of(ipv6.provider.provide()) == "AKID");
  CHECK(ipv6.requests()[0] == "PUT http://[fd00:ec2::254]/latest/api/token");

  Instance moved(Variables{{"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ipv6"},
                           {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/"}});
  CHECK(key_of(moved.provider.provide()) == "AKID");
  CHECK(moved.requests()[0] == "PUT http://127.0.0.1:1338/latest/api/token");

  Instance patient(
      Variables{{"AWS_METADATA_SERVICE_TIMEOUT", "3"}, {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "4"}});
  patient.token = failure(Kind::connect);
  CHECK(error_of(patient.provider.provide()) == "nothing");
  CHECK(patient.scene.http.asked.size() == 4);
  CHECK(patient.scene.http.asked[0].total_timeout == 3s);
}

TEST_CASE("a wrong setting of IMDS is named, and nothing is asked") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"AWS_METADATA_SERVICE_TIMEOUT", "soon"},
      {"AWS_METADATA_SERVICE_TIMEOUT", "0"},
      {"AWS_METADATA_SERVICE_TIMEOUT", "1.5"},
      {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "-1"},
      {"AWS_METADATA_SERVICE_NUM_ATTEMPTS", "1000000"},
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv5"},
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "169.254.169.254"},
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://user:hushhush@host"},
      {"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://host\r\nX: y"}};
  for (const auto& [name, value] : wrong) {
    INFO(name + "=" + value);
    Instance instance(Variables{{name, value}});
    const std::string error = error_of(instance.provider.provide());
    CHECK(error.starts_with("IMDS: " + name + " must "));
    CHECK(!contains(error, "hushhush"));
    CHECK(instance.scene.http.asked.empty());
  }
}

#include "exporters/aws/container_credentials.h"

#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

constexpr const char* kRelative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
constexpr const char* kFull = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
constexpr const char* kTokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
constexpr const char* kAnswer =
    R"({"RoleArn":"arn:aws:iam::1:role/task","AccessKeyId":"AKID","SecretAccessKey":"hushhush",)"
    R"("Token":"T","Expiration":"2026-01-01T06:00:00Z"})";

struct Container {
  CredentialScene scene;
  ContainerCredentials provider;
  explicit Container(const Variables& variables) : provider(scene.options(variables)) {
    scene.http.answer = [](const auto&) { return http_response(200, kAnswer); };
  }
  const ScriptedHttp::Asked& asked() const { return scene.http.asked.at(0); }
};

}  // namespace

TEST_CASE("a container without the variables has nothing, and asks nobody") {
  Container container(Variables{{kToken, "x"}});
  CHECK(error_of(container.provider.provide()) == "nothing");
  CHECK(contains(container.provider.why_nothing(), kFull));
  CHECK(container.scene.http.asked.empty());
}

TEST_CASE("an ECS task's role comes from the agent, directly and without a token") {
  Container container(
      Variables{{kRelative, "/v2/credentials/id"}, {kFull, "http://127.0.0.1/other"}});
  const auto result = container.provider.provide();
  REQUIRE(key_of(result) == "AKID");
  CHECK((*result)->session_token == "T");
  CHECK((*result)->expiration == kNow + 6h);
  CHECK((*result)->source == "container");
  CHECK(container.asked().url == "http://169.254.170.2/v2/credentials/id");
  CHECK(container.asked().method == "GET");
  CHECK(container.asked().direct);
  CHECK(container.asked().total_timeout == 2s);
  CHECK(header_of(container.asked().headers, "accept") == "application/json");
  CHECK(header_of(container.asked().headers, "authorization") == "");
}

TEST_CASE("a pod's identity goes with the token of a file, which is read at each use") {
  TemporaryDirectory home;
  const std::string file = home.write("token", "first\n");
  Container container(Variables{{kFull, "http://169.254.170.23/v1/credentials"},
                                {kTokenFile, file},
                                {kToken, "not this one"}});
  CHECK(key_of(container.provider.provide()) == "AKID");
  home.write("token", "second\r\n");
  CHECK(key_of(container.provider.provide()) == "AKID");
  REQUIRE(container.scene.http.asked.size() == 2);
  CHECK(header_of(container.scene.http.asked[0].headers, "authorization") == "first");
  CHECK(header_of(container.scene.http.asked[1].headers, "authorization") == "second");
}

TEST_CASE("a token that would break the header is refused before anything is sent") {
  TemporaryDirectory home;
  for (const std::string token : {"hush\nhush", "hush\r\nX-Header: hush", "hush\r", "hush\x01"}) {
    Container by_value(Variables{{kFull, "http://127.0.0.1/"}, {kToken, token}});
    const std::string error = error_of(by_value.provider.provide());
    CHECK(contains(error, std::string("container: ") + kToken + " must be one line"));
    CHECK(!contains(error, "hush"));
    CHECK(by_value.scene.http.asked.empty());
  }
  Container by_file(
      Variables{{kFull, "http://127.0.0.1/"}, {kTokenFile, home.write("t", "hush\nhush")}});
  CHECK(contains(error_of(by_file.provider.provide()), home.path() + "/t: "));
  CHECK(!contains(error_of(by_file.provider.provide()), "hush"));
  Container missing(Variables{{kFull, "http://127.0.0.1/"}, {kTokenFile, home.path() + "/none"}});
  CHECK(contains(error_of(missing.provider.provide()), "No such file"));
  CHECK(missing.scene.http.asked.empty());
}

TEST_CASE("credentials go in clear to this host and to ECS's and EKS's agents alone") {
  for (const std::string url :
       {"http://127.0.0.1/", "http://127.9.9.9:8080/x?y=z", "http://localhost:1234/keys",
        "http://[::1]:80/", "http://169.254.170.2/x", "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2:0:0::23]/",
        "https://keys.example.com/x", "https://10.0.0.1/"}) {
    INFO(url);
    CHECK(problem_of_container_url(url) == "");
  }
  for (const std::string url : {"http://10.0.0.1/",
                                "http://169.254.169.254/",
                                "http://169.254.170.24/",
                                "http://keys.example.com/",
                                "http://localhost.example.com/",
                                "http://127.0.0.1.example.com/",
                                "http://[fd00:ec2::24]/",
                                "http://[::]/",
                                "http://0.0.0.0/",
                                "http://128.0.0.1/",
                                "http://user@127.0.0.1/",
                                "http://127.0.0.1:pw@example.com/",
                                "http://127.0.0.1@example.com/",
                                "http://example.com#@127.0.0.1/",
                                "http://example.com\\@127.0.0.1/",
                                "ftp://127.0.0.1/",
                                "file:///etc/passwd",
                                "127.0.0.1/x",
                                "//127.0.0.1/x",
                                "http:///x",
                                "",
                                "http://127.0.0.1/a b",
                                "http://127.0.0.1/\r\nX: y"}) {
    INFO(url);
    CHECK(problem_of_container_url(url) != "");
    Container container(Variables{{kFull, url}, {kToken, "hush"}});
    if (!url.empty()) {
      const std::string error = error_of(container.provider.provide());
      CHECK(contains(error, std::string("container: ") + kFull + " cannot be used: "));
      CHECK(!contains(error, "hush"));
    }
    CHECK(container.scene.http.asked.empty());
  }
}

TEST_CASE("a relative URI cannot lead elsewhere") {
  for (const std::string uri : {"@evil.example.com/", "/x", "x", "//evil.example.com/"}) {
    Container container(Variables{{kRelative, uri}});
    CHECK(key_of(container.provider.provide()) == "AKID");
    CHECK(container.asked().url.starts_with("http://169.254.170.2/"));
  }
  Container broken(Variables{{kRelative, "/x\r\nHost: evil"}});
  CHECK(contains(error_of(broken.provider.provide()), "control characters"));
}

TEST_CASE("the agent is asked three times, a second apart, where it may come back") {
  using Answer = std::function<HttpResult()>;
  struct Case {
    std::string what;
    Answer answer;
    std::size_t tries;
    std::string expected;
  };
  const Case cases[] = {
      {"refused", [] { return http_failure(HttpFailure::Kind::connect); }, 3, "no answer"},
      {"slow", [] { return http_failure(HttpFailure::Kind::timeout); }, 3, "no answer"},
      {"500", [] { return http_response(500, ""); }, 3, "status 500"},
      {"429", [] { return http_response(429, "slow"); }, 3, "status 429"},
      {"half an answer", [] { return http_response(200, "{\"AccessKeyId\":\"A"); }, 3,
       "not a JSON object"},
      {"no token",
       [] { return http_response(200, R"({"AccessKeyId":"A","SecretAccessKey":"hushhush"})"); }, 3,
       "Token is missing"},
      {"403",
       [] { return http_response(403, R"({"code":"Denied","message":"token t-o-k-e-n is bad"})"); },
       1, "status 403: Denied: token "},
      {"404", [] { return http_response(404, "<html>t-o-k-e-n</html>"); }, 1, "status 404"},
      {"302",
       [] {
         return http_response(302, "", {{"location", "http://elsewhere/"}});
       },
       1, "status 302"},
      {"cancelled", [] { return http_failure(HttpFailure::Kind::cancelled); }, 1, "no answer"}};
  for (const Case& each : cases) {
    INFO(each.what);
    Container container(Variables{{kFull, "http://127.0.0.1/"}, {kToken, "t-o-k-e-n"}});
    container.scene.http.answer = [&](const auto&) { return each.answer(); };
    const auto result = container.provider.provide();
    const std::string error = error_of(result);
    CHECK(may_pass(result) == (each.tries == 3));
    CHECK(contains(error, "container: AWS_CONTAINER_CREDENTIALS_FULL_URI: "));
    CHECK(contains(error, each.expected));
    CHECK(!contains(error, "t-o-k-e-n"));
    CHECK(!contains(error, "hushhush"));
    CHECK(container.scene.http.asked.size() == each.tries);
    CHECK(container.scene.slept == std::vector<std::chrono::milliseconds>(each.tries - 1, 1000ms));
  }
}

TEST_CASE("an agent that comes back at the third try gives its credentials") {
  Container container(Variables{{kFull, "http://127.0.0.1/"}});
  int tries = 0;
  container.scene.http.answer = [&](const auto&) -> HttpResult {
    return ++tries < 3 ? http_response(503, "") : http_response(200, kAnswer);
  };
  CHECK(key_of(container.provider.provide()) == "AKID");
}

TEST_CASE("a stop ends the tries") {
  CredentialScene scene;
  std::atomic<bool> cancelled{true};
  ChainOptions options = scene.options({{kFull, "http://127.0.0.1/"}});
  options.cancelled = &cancelled;
  options.sleep = nullptr;
  ContainerCredentials provider(options);
  CHECK(contains(error_of(provider.provide()), "container: "));
  CHECK(scene.http.asked.size() == 1);
}

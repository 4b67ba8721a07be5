#include <cstdlib>
#include <map>
#include <optional>
#include <string>

#include "exporters/aws/http_client.h"
#include "tests/catch.h"
#include "tests/unit/exporters/aws/loopback_server.h"

using namespace invlog::aws;
using namespace invlog::tests;
using Kind = HttpFailure::Kind;

namespace {

// The variables that libcurl takes proxies from, as the test wants them, and as they were after it.
class ProxyEnvironment {
 public:
  explicit ProxyEnvironment(const std::map<std::string, std::string>& variables) {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "HTTP_PROXY", "all_proxy",
                             "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      const char* const value = std::getenv(name);
      before_[name] = value == nullptr ? std::nullopt : std::optional<std::string>(value);
      ::unsetenv(name);
    }
    for (const auto& [name, value] : variables) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~ProxyEnvironment() {
    for (const auto& [name, value] : before_) {
      value ? ::setenv(name.c_str(), value->c_str(), 1) : ::unsetenv(name.c_str());
    }
  }
  ProxyEnvironment(const ProxyEnvironment&) = delete;
  ProxyEnvironment& operator=(const ProxyEnvironment&) = delete;

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

HttpRequest request_to(const std::string& url, bool direct = false) {
  HttpRequest request;
  request.url = url;
  request.total_timeout = std::chrono::seconds(20);
  request.direct = direct;
  request.headers = {{"authorization", "hush"}};
  return request;
}

}  // namespace

TEST_CASE("the environment's proxy is used, but not for a direct request") {
  LoopbackServer server({reply(200, "direct")});
  LoopbackServer proxy({reply(200, "proxied")});
  const ProxyEnvironment environment({{"http_proxy", proxy.url()}});
  const auto client = curl_http_client({});
  HttpResult result = client->send(request_to(server.url() + "/a"));
  REQUIRE(result);
  CHECK(result->body == "proxied");
  CHECK(proxy.requests().at(0).target == server.url() + "/a");

  result = client->send(request_to(server.url() + "/a", true));
  REQUIRE(result);
  CHECK(result->body == "direct");
  CHECK(proxy.requests().size() == 1);
}

TEST_CASE("NO_PROXY exempts a host") {
  LoopbackServer server({reply(200, "direct")});
  LoopbackServer proxy({reply(200, "proxied")});
  const ProxyEnvironment environment({{"http_proxy", proxy.url()}, {"NO_PROXY", "127.0.0.1"}});
  const HttpResult result = curl_http_client({})->send(request_to(server.url()));
  REQUIRE(result);
  CHECK(result->body == "direct");
}

TEST_CASE("a proxy that refuses CONNECT is a failure to connect, and is not shown the headers") {
  LoopbackServer proxy({reply(407, "who are you", "x-proxy: 1\r\n")});
  const ProxyEnvironment environment({{"HTTPS_PROXY", proxy.url()}});
  const HttpResult result =
      curl_http_client({})->send(request_to("https://logs.eu-central-1.invalid/"));
  REQUIRE(!result);
  CHECK(result.error().kind == Kind::connect);
  CHECK(result.error().message.find("logs.eu-central-1.invalid:443") != std::string::npos);
  CHECK(result.error().message.find("407") != std::string::npos);
  const LoopbackRequest seen = proxy.requests().at(0);
  CHECK(seen.method == "CONNECT");
  CHECK(seen.target == "logs.eu-central-1.invalid:443");
  CHECK(!seen.has_header("authorization"));
}

TEST_CASE("a proxy's password is in no message") {
  for (const std::string proxy :
       {"http://user:pass-word@127.0.0.1:1", "http://user:pass-word@nowhere.invalid:1",
        "gopher://user:pass-word@127.0.0.1:1", "http://user:pass-word@[x:1", "pass-word://"}) {
    const ProxyEnvironment environment({{"https_proxy", proxy}});
    const HttpResult result =
        curl_http_client({})->send(request_to("https://logs.eu-central-1.invalid/"));
    REQUIRE(!result);
    INFO(result.error().message);
    CHECK(result.error().message.find("pass-word") == std::string::npos);
    CHECK(result.error().message.find("logs.eu-central-1.invalid:443") == 0);
  }
}

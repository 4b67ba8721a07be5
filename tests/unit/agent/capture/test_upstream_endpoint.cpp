#include "agent/capture/upstream_endpoint.h"

#include <map>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

aws::Environment with(std::map<std::string, std::string> variables) {
  return [variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end())
      return std::nullopt;
    return found->second;
  };
}

}  // namespace

TEST_CASE("An upstream URL gives scheme, host, port, Host header and prefix") {
  const auto plain = parse_upstream("https://bedrock-runtime.eu-central-1.amazonaws.com", with({}));
  REQUIRE(plain);
  CHECK(plain->tls);
  CHECK(plain->port == 443);
  CHECK(plain->host_header == "bedrock-runtime.eu-central-1.amazonaws.com");
  CHECK(plain->base_path.empty());
  const auto local = parse_upstream("http://[::1]:8080/prefix/", with({}));
  REQUIRE(local);
  CHECK_FALSE(local->tls);
  CHECK(local->host == "::1");
  CHECK(local->host_header == "[::1]:8080");
  CHECK(local->base_path == "/prefix");
}

TEST_CASE("An upstream URL that is none is refused with the URL") {
  for (const char* url : {"", "bedrock", "ftp://x", "https://", "https://x:0", "https://x:70000",
                          "https://user@x", "https://x y", "https://x/?q"}) {
    INFO(url);
    const auto endpoint = parse_upstream(url, with({}));
    REQUIRE_FALSE(endpoint);
    CHECK(endpoint.error().find(url) != std::string::npos);
  }
}

TEST_CASE("HTTPS_PROXY is used for https, with basic authorization, and never for loopback") {
  const auto environment = with({{"HTTPS_PROXY", "http://us%65r:p%40ss@proxy.corp:3128"}});
  const auto far = parse_upstream("https://bedrock.example", environment);
  REQUIRE(far);
  REQUIRE(far->proxy);
  CHECK(far->proxy->host == "proxy.corp");
  CHECK(far->proxy->port == 3128);
  CHECK(far->proxy->authorization == "Basic dXNlcjpwQHNz");
  CHECK_FALSE(parse_upstream("https://127.0.0.1:8443", environment)->proxy);
  CHECK_FALSE(parse_upstream("https://localhost", environment)->proxy);
  CHECK_FALSE(parse_upstream("http://bedrock.example", environment)->proxy);
}

TEST_CASE("A proxy URL that cannot be used is refused without its password") {
  const auto endpoint = parse_upstream("https://bedrock.example",
                                       with({{"https_proxy", "https://user:secret@proxy"}}));
  REQUIRE_FALSE(endpoint);
  CHECK(endpoint.error().find("secret") == std::string::npos);
}

TEST_CASE("NO_PROXY exempts names, suffixes, ports and everything") {
  CHECK(is_exempt_from_proxy("*", "a.b", 443));
  CHECK(is_exempt_from_proxy("x, .amazonaws.com", "bedrock.eu.amazonaws.com", 443));
  CHECK(is_exempt_from_proxy("amazonaws.com", "amazonaws.com", 443));
  CHECK(is_exempt_from_proxy("a.b:443", "a.b", 443));
  CHECK_FALSE(is_exempt_from_proxy("a.b:8443", "a.b", 443));
  CHECK_FALSE(is_exempt_from_proxy("b.com", "ab.com", 443));
  CHECK_FALSE(is_exempt_from_proxy("", "a.b", 443));
}

}  // namespace invlog::capture

#include <fstream>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;

namespace {

tl::expected<AgentConfig, std::string> proxy_from(const std::string& text) {
  return from_file(kRegion + "[proxy]\n" + text + "\n");
}

}  // namespace

TEST_CASE("[proxy] has defaults, and takes its keys", "[proxy]") {
  CHECK(from_file(kRegion)->proxy == ProxyConfig());
  CHECK(proxy_from("")->proxy == ProxyConfig());

  const auto all = proxy_from(
      "listen = \"[::1]:0\"\nother_hosts = \"refuse\"\nother_regions = \"flag\"\nhosts = "
      "[\"Bedrock.Corp.Example.\", \"vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com\"]\n"
      "connect_to = \"LocalHost:8443\"");
  REQUIRE(error_of(all) == "(no error)");
  CHECK(all->proxy.listen_host == "::1");
  CHECK(all->proxy.listen_port == 0);
  CHECK(all->proxy.other_hosts == OtherHosts::refuse);
  CHECK(all->proxy.other_regions == OtherRegions::flag);
  CHECK(all->proxy.hosts ==
        std::vector<std::string>{"bedrock.corp.example",
                                 "vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com"});
  CHECK(all->proxy.connect_host == "localhost");
  CHECK(all->proxy.connect_port == 8443);
  CHECK(proxy_from("listen = \"\"")->proxy.listen_host == "");
}

TEST_CASE("[proxy] connect_to is a host with or without a port", "[proxy]") {
  const auto target = [](const std::string& text) {
    const auto read = proxy_from("connect_to = \"" + text + "\"");
    return read ? read->proxy.connect_host + " " + std::to_string(read->proxy.connect_port)
                : read.error();
  };
  CHECK(target("") == " 443");
  CHECK(target("10.0.0.1") == "10.0.0.1 443");
  CHECK(target("[2001:db8::1]") == "2001:db8::1 443");
  CHECK(target("[2001:db8::1]:8443") == "2001:db8::1 8443");
  CHECK(target("vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com") ==
        "vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com 443");
  for (const char* text : {"https://a", "a:0", "a:", ":443", "2001:db8::1", "a/b", "u@a:1"}) {
    INFO(text);
    CHECK(contains(target(text), "\" is no host to connect to: write HOST, HOST:PORT"));
  }
  CHECK(contains(target("127.0.0.1:4181"), "connect_to: proxy mode itself listens there"));
  CHECK(contains(target("bedrock-runtime.us-east-1.amazonaws.com"),
                 "c.toml:4:14: connect_to: \"bedrock-runtime.us-east-1.amazonaws.com\" is AWS's"));
}

TEST_CASE("what proxy mode cannot run on is said with its place", "[proxy]") {
  const auto error = [](const std::string& text) { return error_of(proxy_from(text)); };
  for (const char* address : {"4181", "unix:/run/invlog/proxy.sock", ":4181", "127.0.0.1:"}) {
    INFO(address);
    CHECK(error("listen = \"" + std::string(address) + "\"")
              .starts_with("c.toml:4:10: listen: \"" + std::string(address) +
                           "\" is no address to listen on"));
  }
  CHECK(error("listen = \"0.0.0.0:4181\"")
            .starts_with("c.toml:4:10: listen: \"0.0.0.0:4181\" is not a loopback address"));
  CHECK(error_of(from_file(kRegion + "allow_remote = true\n[proxy]\nlisten = \"0.0.0.0:4181\"")) ==
        "(no error)");
  CHECK(contains(error("other_hosts = \"flag\""), "is none of \"tunnel\", \"refuse\""));
  CHECK(contains(error("other_regions = \"tunnel\""), "is none of \"refuse\", \"flag\""));
  for (const char* name :
       {"", "a:443", "https://a", "*.a.test", "10.0.0.1", "a..b", "b\xc3\xbc.a"}) {
    INFO(name);
    CHECK(contains(error("hosts = [\"" + std::string(name) + "\"]"), "\" is no DNS name"));
  }
  for (const char* name :
       {"bedrock-runtime.us-east-1.amazonaws.com", "bedrock-runtime.us-iso-east-1.c2s.ic.gov",
        "vpce-1.bedrock-runtime.eu-west-1.vpce.amazonaws.com", "s3.eu-west-1.amazonaws.com",
        "bedrock.amazonaws.com"}) {
    INFO(name);
    CHECK(contains(error("hosts = \"" + std::string(name) + "\""), "is AWS's, and not in this"));
  }
}

TEST_CASE("proxy mode shares a port with [agent], and with nothing else", "[proxy]") {
  CHECK(error_of(proxy_from("listen = \"127.0.0.1:4180\"")) == "(no error)");
  // The default alone is no wish for proxy mode.
  for (const char* proxy : {"", "[proxy]\n", "[proxy]\nother_hosts = \"refuse\"\n"}) {
    CHECK(error_of(from_file(kRegion + "[admin]\nlisten = \"127.0.0.1:4181\"\n" + proxy)) ==
          "(no error)");
  }
  // With an authority it is one.
  const TemporaryDirectory state;
  std::ofstream(state.path() + "/ca.pem") << "an authority";
  CHECK(contains(error_of(from_file(kRegion + "state_dir = \"" + state.path() +
                                    "\"\n[admin]\nlisten = \"127.0.0.1:4181\"\n")),
                 "proxy mode listens on \"127.0.0.1:4181\", and so do metrics"));
  CHECK(contains(error_of(from_file(kRegion + "[admin]\nlisten = \"127.0.0.1:9\"\n[proxy]\nlisten "
                                              "= \"127.0.0.1:9\"\n")),
                 "c.toml:6:10: listen: proxy mode listens on \"127.0.0.1:9\", and so do metrics"));
  CHECK(contains(error_of(from_file(kRegion + "[admin]\nlisten = \"localhost:9\"\n[proxy]\nlisten "
                                              "= \"127.0.0.1:9\"\n")),
                 "c.toml:6:10: listen: proxy mode listens on \"127.0.0.1:9\", and so do metrics"));
  for (const char* all : {"0.0.0.0", "[::]"}) {
    const std::string agent =
        kRegion + "allow_remote = true\nlisten = \"" + std::string(all) + ":9\"\n";
    CHECK(contains(error_of(from_file(agent + "[proxy]\nlisten = \"127.0.0.1:9\"\n")),
                   "and applications reach the agent on \"" + std::string(all) + ":9\""));
    CHECK(contains(error_of(from_file(agent + "[admin]\nlisten = \"127.0.0.1:9\"\n")),
                   "applications reach the agent there already"));
    CHECK(error_of(from_file(agent + "[proxy]\nlisten = \"" + all + ":9\"\n")) == "(no error)");
    CHECK(error_of(from_file(agent + "[proxy]\nlisten = \"127.0.0.1:8\"\n")) == "(no error)");
  }
  CHECK(error_of(from_file(kRegion + "allow_remote = true\nlisten = \"0.0.0.0:9\"\n[proxy]\n"
                                     "listen = \"[::1]:9\"\n")) == "(no error)");
  CHECK(
      contains(error_of(from_file(kRegion + "allow_remote = true\n[proxy]\nlisten = \"host:9\"\n")),
               "c.toml:5:10: listen: \"host\" is no IP address"));
  CHECK(error_of(from_file(kRegion + "[admin]\nlisten = \"127.0.0.1:4181\"\n[proxy]\nlisten = "
                                     "\"\"\n")) == "(no error)");
}

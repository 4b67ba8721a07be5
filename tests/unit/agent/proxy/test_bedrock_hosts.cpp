#include "agent/proxy/bedrock_hosts.h"

#include <algorithm>

#include "tests/catch.h"

using namespace invlog::proxy;

namespace {

using Kind = BedrockHosts::Kind;

// As a CONNECT to this host would be judged; no value if its authority is refused.
std::string judged(const BedrockHosts& hosts, const std::string& host) {
  const auto authority = parse_authority(host + ":443");
  if (!authority) {
    return "refused";
  }
  switch (hosts.judge(authority->host)) {
    case Kind::intercept:
      return "intercept";
    case Kind::other_region:
      return "other_region";
    case Kind::mantle:
      return "mantle";
    case Kind::other:
      break;
  }
  return "other";
}

}  // namespace

TEST_CASE("the target of a CONNECT is a host and a port", "[proxy]") {
  const auto read = [](std::string_view target) {
    const auto authority = parse_authority(target);
    return authority ? authority->host + " " + std::to_string(authority->port) : "refused";
  };
  CHECK(read("Bedrock-Runtime.EU-central-1.amazonaws.COM:443") ==
        "bedrock-runtime.eu-central-1.amazonaws.com 443");
  CHECK(read("example.com.:1") == "example.com 1");
  CHECK(read("my_host:65535") == "my_host 65535");
  CHECK(read("192.0.2.1:8443") == "192.0.2.1 8443");
  CHECK(read("[2001:DB8:0::1]:443") == "2001:db8::1 443");
  CHECK(read(std::string(63, 'a') + ".test:443") == std::string(63, 'a') + ".test 443");
  const std::string longest = std::string(61, 'a') + "." + std::string(63, 'b') + "." +
                              std::string(63, 'c') + "." + std::string(63, 'd');
  REQUIRE(longest.size() == 253);
  CHECK(read(longest + ":443") == longest + " 443");
  CHECK(read("a" + longest + ":443") == "refused");
}

TEST_CASE("what is no authority is refused", "[proxy]") {
  for (const std::string_view target : {std::string_view(""),
                                        std::string_view(":"),
                                        std::string_view(":443"),
                                        std::string_view("example.com"),
                                        std::string_view("example.com:"),
                                        std::string_view("example.com:0"),
                                        std::string_view("example.com:65536"),
                                        std::string_view("example.com:99999999999999999999"),
                                        std::string_view("example.com:044"),
                                        std::string_view("example.com:+44"),
                                        std::string_view("example.com:443/"),
                                        std::string_view("example.com:443 "),
                                        std::string_view("example.com :443"),
                                        std::string_view("https://example.com:443"),
                                        std::string_view("example.com/x:443"),
                                        std::string_view("user@example.com:443"),
                                        std::string_view("u:p@example.com:443"),
                                        std::string_view("example%2ecom:443"),
                                        std::string_view("example.com..:443"),
                                        std::string_view(".example.com:443"),
                                        std::string_view("a..b:443"),
                                        std::string_view(".:443"),
                                        std::string_view("-a.test:443"),
                                        std::string_view("a-.test:443"),
                                        std::string_view("example.com\r\n:443"),
                                        std::string_view("exa\0mple.com:443", 16),
                                        std::string_view("[::1\0]:443", 10),
                                        std::string_view("b\xc3\xbc"
                                                         "cher.test:443"),
                                        std::string_view("example.com:443\n"),
                                        std::string_view("*.test:443"),
                                        std::string_view("a,b:443"),
                                        std::string_view("::1:443"),
                                        std::string_view("[::1]"),
                                        std::string_view("[::1]443"),
                                        std::string_view("[]:443"),
                                        std::string_view("[::1:443"),
                                        std::string_view("[fe80::1%25eth0]:443"),
                                        std::string_view("[127.0.0.1]:443"),
                                        std::string_view("[example.com]:443"),
                                        std::string_view("127.1:443"),
                                        std::string_view("2130706433:443"),
                                        std::string_view("0x7f000001:443"),
                                        std::string_view("0177.0.0.1:443"),
                                        std::string_view("127.0.0.0x1:443"),
                                        std::string_view("256.0.0.1:443")}) {
    INFO(target);
    const auto authority = parse_authority(target);
    CHECK_FALSE(authority);
  }
  CHECK_FALSE(parse_authority(std::string(64, 'a') + ".test:443"));
  CHECK_FALSE(parse_authority(std::string(1 << 20, 'a')));
}

TEST_CASE("the source Region's Bedrock runtime is intercepted under each of its names", "[proxy]") {
  const BedrockHosts hosts("eu-central-1", {"bedrock.corp.example"});
  CHECK(hosts.names() == std::vector<std::string>{"bedrock-runtime.eu-central-1.amazonaws.com",
                                                  "bedrock-runtime-fips.eu-central-1.amazonaws.com",
                                                  "bedrock-runtime.eu-central-1.api.aws",
                                                  "bedrock-runtime-fips.eu-central-1.api.aws",
                                                  "bedrock.corp.example"});
  for (const std::string& name : hosts.names()) {
    INFO(name);
    CHECK(judged(hosts, name) == "intercept");
    CHECK(judged(hosts, name + ".") == "intercept");
  }
  CHECK(judged(hosts, "BEDROCK-RUNTIME.eu-central-1.AmazonAWS.com") == "intercept");
  for (const char* endpoint :
       {"vpce-0a1b-2c3d.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
        "vpce-0a1b-2c3d-eu-central-1a.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
        "vpce-0a1b-2c3d.bedrock-runtime-fips.eu-central-1.vpce.amazonaws.com"}) {
    INFO(endpoint);
    CHECK(judged(hosts, endpoint) == "intercept");
  }
  const auto permitted = hosts.permitted_names();
  CHECK(permitted.size() == 7);
  CHECK(std::equal(hosts.names().begin(), hosts.names().end(), permitted.begin()));
  CHECK(permitted[5] == "bedrock-runtime.eu-central-1.vpce.amazonaws.com");
  CHECK(permitted[6] == "bedrock-runtime-fips.eu-central-1.vpce.amazonaws.com");
}

TEST_CASE("Bedrock of another Region is told from other hosts", "[proxy]") {
  const BedrockHosts hosts("eu-central-1", {});
  for (const char* host :
       {"bedrock-runtime.us-east-1.amazonaws.com", "bedrock-runtime.us-east-1.amazonaws.com.",
        "Bedrock-Runtime.us-east-1.amazonaws.com",
        "bedrock-runtime-fips.ca-central-1.amazonaws.com", "bedrock-runtime.us-east-1.api.aws",
        "bedrock-runtime.cn-north-1.amazonaws.com.cn",
        "bedrock-runtime.cn-north-1.api.amazonwebservices.com.cn",
        "bedrock-runtime.eusc-de-east-1.amazonaws.eu", "bedrock-runtime.us-iso-east-1.c2s.ic.gov",
        "bedrock-runtime.us-gov-west-1.amazonaws.com", "bedrock-mantle.us-east-1.api.aws",
        "bedrock-mantle.us-east-1.amazonaws.com",
        "vpce-0a1b-2c3d.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "vpce-0a1b-2c3d-us-east-1a.bedrock-runtime.us-east-1.vpce.amazonaws.com",
        "vpce-0a1b-2c3d.bedrock-mantle.us-east-1.vpce.amazonaws.com",
        // Names that AWS does not give: the Region with another partition's suffix.
        "bedrock-runtime.eu-central-1.amazonaws.com.cn",
        "x.bedrock-runtime.eu-central-1.vpce.amazonaws.eu"}) {
    INFO(host);
    CHECK(judged(hosts, host) == "other_region");
  }
  for (const char* host : {"example.com",
                           "bedrock.eu-central-1.amazonaws.com",
                           "bedrock.us-east-1.amazonaws.com",
                           "bedrock-agent-runtime.us-east-1.amazonaws.com",
                           "sts.us-east-1.amazonaws.com",
                           "bedrock-runtime.eu-central-1.amazonaws.com.evil.test",
                           "xbedrock-runtime.eu-central-1.amazonaws.com",
                           "x.bedrock-runtime.eu-central-1.amazonaws.com",
                           "bedrock-runtime.eu-central-1.amazonaws.comx",
                           "bedrock-runtime.eu-central-1.xamazonaws.com",
                           "bedrock-runtime.us-east-1.evil.test",
                           "bedrock-runtime.us-east-1.amazonaws.com.evil.test",
                           "bedrock-runtime",
                           "bedrock-runtime.amazonaws.com",
                           "bedrock-runtime.vpce.amazonaws.com",
                           "bedrock-runtime.eu-central-1.vpce.amazonaws.com",
                           "amazonaws.com",
                           "api.aws",
                           "vpce",
                           "x.vpce.amazonaws.com",
                           "x.bedrock-runtime.eu-central-1.vpce.api.aws",
                           "127.0.0.1",
                           "52.94.133.131"}) {
    INFO(host);
    CHECK(judged(hosts, host) == "other");
  }
  for (const char* host : {"bedrock-mantle.eu-central-1.api.aws",
                           "vpce-0a1b-2c3d.bedrock-mantle.eu-central-1.vpce.amazonaws.com"}) {
    INFO(host);
    CHECK(judged(hosts, host) == "mantle");
  }
  for (const char* host : {"bedrock-runtime.eu-central-1.amazonaws.com..",
                           "bedrock-runtime..eu-central-1.amazonaws.com",
                           "b\xc3\xa9"
                           "drock-runtime.eu-central-1.amazonaws.com",
                           "bedrock-runtime\xe3\x80\x82"
                           "eu-central-1.amazonaws.com",
                           "bedrock-runtime%2eeu-central-1.amazonaws.com"}) {
    INFO(host);
    CHECK(judged(hosts, host) == "refused");
  }
}

TEST_CASE("each partition's suffixes", "[proxy]") {
  CHECK(BedrockHosts("cn-north-1", {}).names() ==
        std::vector<std::string>{"bedrock-runtime.cn-north-1.amazonaws.com.cn",
                                 "bedrock-runtime-fips.cn-north-1.amazonaws.com.cn",
                                 "bedrock-runtime.cn-north-1.api.amazonwebservices.com.cn",
                                 "bedrock-runtime-fips.cn-north-1.api.amazonwebservices.com.cn"});
  const BedrockHosts sovereign("eusc-de-east-1", {});
  CHECK(judged(sovereign, "bedrock-runtime.eusc-de-east-1.amazonaws.eu") == "intercept");
  CHECK(judged(sovereign, "bedrock-runtime.eusc-de-east-1.api.amazonwebservices.eu") ==
        "intercept");
  CHECK(judged(sovereign, "bedrock-runtime.eu-central-1.amazonaws.com") == "other_region");
  CHECK(judged(BedrockHosts("us-gov-west-1", {}),
               "bedrock-runtime-fips.us-gov-west-1.amazonaws.com") == "intercept");
}

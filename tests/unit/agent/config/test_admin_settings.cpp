#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::tests;

TEST_CASE("[admin] is off until it names a loopback address or a socket", "[admin]") {
  const auto defaults = from_file(kRegion);
  REQUIRE(defaults);
  CHECK_FALSE(defaults->admin.enabled());
  CHECK(defaults->admin.ready_needs_credentials);
  CHECK(defaults->log_format == "auto");
  CHECK_FALSE(from_file(kRegion + "[admin]\n")->admin.enabled());

  const auto both =
      from_file(kRegion +
                "log_format = \"json\"\n[admin]\nlisten = [\"[::1]:4182\", "
                "\"unix:/run/invlog/admin.sock\"]\nready_needs_credentials = false\n");
  REQUIRE(error_of(both) == "(no error)");
  CHECK(both->admin.enabled());
  CHECK(both->admin.listen_host == "::1");
  CHECK(both->admin.listen_port == 4182);
  CHECK(both->admin.listen_socket == "/run/invlog/admin.sock");
  CHECK_FALSE(both->admin.ready_needs_credentials);
  CHECK(both->log_format == "json");
  CHECK(from_file(kRegion + "[admin]\nlisten = \"unix:/a.sock\"\n")->admin.enabled());
}

TEST_CASE("where metrics cannot be had is said with its place", "[admin]") {
  const auto error = [](const std::string& value) {
    return error_of(from_file(kRegion + "[admin]\nlisten = " + value + "\n"));
  };
  for (const char* address : {"0.0.0.0:4182", "192.0.2.1:4182", "[::2]:1"}) {
    INFO(address);
    CHECK(error("\"" + std::string(address) + "\"")
              .starts_with("c.toml:4:10: listen: \"" + std::string(address) +
                           "\" is not a loopback address"));
  }
  for (const char* address : {"127.example.com:1", "127.:1", "1:1"}) {
    INFO(address);
    CHECK(error("\"" + std::string(address) + "\"").find("\" is no IP address: write one") !=
          std::string::npos);
  }
  CHECK(error("\"4182\"").find("is no address to listen on") != std::string::npos);
  CHECK(error("\"unix:admin.sock\"").find("needs an absolute path") != std::string::npos);
  CHECK(error("\"unix:/" + std::string(107, 'x') + "\"").find("107 bytes") != std::string::npos);
  CHECK(error("[\"127.0.0.1:1\", \"127.0.0.1:2\"]").find("one too many") != std::string::npos);
  for (const char* address : {"127.0.0.1:4180", "localhost:4180"}) {
    CHECK(error("\"" + std::string(address) + "\"")
              .find("applications reach the agent there already") != std::string::npos);
  }
  CHECK(error_of(from_file(kRegion + "log_format = \"xml\"\n")).find("\"auto\", \"text\"") !=
        std::string::npos);
}

// [agent]'s keys that say who may call.
#include <grp.h>
#include <pwd.h>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;
using namespace std::chrono_literals;

TEST_CASE("without a word about access, loopback only and whoever reaches it") {
  const auto result = from_file(kRegion);
  REQUIRE(error_of(result) == "(no error)");
  CHECK_FALSE(result->access.allow_remote);
  CHECK_FALSE(result->access.names_callers());
  CHECK(result->access.hosts.empty());
  CHECK(result->clients.header_timeout == 10s);
  CHECK(result->clients.keep_alive_timeout == 600s);
  CHECK(result->clients.max_connections == 1024);
  CHECK_FALSE(from_file(kRegion + "allow_users = []\nallow_groups = []")->access.names_callers());
}

TEST_CASE("another address than loopback needs allow_remote, wherever it stands") {
  CHECK(error_of(from_file(kRegion + "listen = \"0.0.0.0:4180\"")) ==
        "c.toml:3:10: listen: \"0.0.0.0:4180\" is not a loopback address: whoever reaches the "
        "agent calls "
        "Bedrock with its credentials, so it listens on 127.0.0.1, [::1] or a Unix socket only, "
        "unless allow_remote = true");
  CHECK(contains(error_of(from_file(kRegion + "listen = \"[::]:4180\"\nallow_remote = false")),
                 "c.toml:3:10: listen: \"[::]:4180\" is not a loopback"));
  const auto before = from_file(kRegion + "allow_remote = true\nlisten = \"10.0.0.1:4180\"");
  REQUIRE(error_of(before) == "(no error)");
  CHECK(before->listen_host == "10.0.0.1");
  CHECK(error_of(from_file(kRegion + "listen = \"[::]:1\"\nallow_remote = true")) == "(no error)");
  CHECK(contains(error_of(from_file(kRegion + "allow_remote = \"yes\"")), "c.toml:3:16: "));
}

TEST_CASE("users and groups are found by name or taken by number") {
  const passwd* root = ::getpwuid(0);
  const group* wheel = ::getgrgid(0);
  REQUIRE(root != nullptr);
  REQUIRE(wheel != nullptr);
  const auto result = from_file(kRegion + "allow_users = [\"" + root->pw_name +
                                "\", \"4242\"]\nallow_groups = \"" + wheel->gr_name + "\"");
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->access.user_ids == std::vector<std::uint32_t>{0, 4242});
  CHECK(result->access.group_ids == std::vector<std::uint32_t>{0});
  CHECK(result->access.names_callers());
}

TEST_CASE("a user or group that nobody knows is an error with its place") {
  CHECK(error_of(from_file(kRegion + "allow_users = [\"no-such-user\"]")) ==
        "c.toml:3:15: allow_users: there is no user \"no-such-user\" on this host: write a name "
        "that `getent "
        "passwd` knows, or a number");
  CHECK(contains(error_of(from_file(kRegion + "allow_groups = \"no-such-group\"")),
                 "c.toml:3:16: allow_groups: there is no group \"no-such-group\""));
  CHECK(contains(error_of(from_file(kRegion + "allow_users = \"\"")), "names no user"));
  // As `--allow-users "$NOT_SET"` is.
  for (const char* empty : {"", "0,", ",0"}) {
    CHECK(contains(error_of(load_agent_config(
                       with_flags({{"region", "eu-central-1"}, {"allow_users", empty}}))),
                   "names no user"));
  }
  for (const char* wrong : {"4294967295", "99999999999"}) {
    CHECK(contains(error_of(from_file(kRegion + "allow_users = \"" + wrong + "\"")),
                   "is no user id"));
  }
}

TEST_CASE("allowed_hosts are names, in any case, with a star in front") {
  const auto result =
      from_file(kRegion + "allowed_hosts = [\"Invlog.Example.com\", \"*.corp.example\", \"*\"]");
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->access.hosts ==
        std::vector<std::string>{"invlog.example.com", "*.corp.example", "*"});
  for (const char* wrong : {"", "a.b:80", "http://a.b", "a.*.b", ".a", "*."}) {
    INFO(wrong);
    CHECK(contains(error_of(from_file(kRegion + "allowed_hosts = \"" + wrong + "\"")),
                   "is no host name"));
  }
}

TEST_CASE("what a client may ask for is checked") {
  const auto result = from_file(
      kRegion + "header_timeout = \"2s\"\nkeep_alive_timeout = \"1m\"\nmax_connections = 7");
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->clients.header_timeout == 2s);
  CHECK(result->clients.keep_alive_timeout == 60s);
  CHECK(result->clients.max_connections == 7);
  for (const char* wrong : {"0", "-1", "1000001"}) {
    CHECK(contains(error_of(from_file(kRegion + "max_connections = " + wrong)),
                   "not within 1 and 1000000"));
  }
}

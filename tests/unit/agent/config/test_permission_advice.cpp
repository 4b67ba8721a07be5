#include "agent/config/permission_advice.h"

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

using namespace invlog::config;
using namespace invlog::tests;

TEST_CASE("whoever may not read is told the group that may, whoever may not write the owner") {
  if (::geteuid() != 0) {
    WARN("only root can try this");
    return;
  }
  const TemporaryDirectory directory;
  const std::string store = directory.write("state/eu-central-1.db", "");
  const std::string state = directory.path() + "/state";
  constexpr gid_t kNobodys = 65534;  // root is not in it
  const group* entry = ::getgrgid(kNobodys);
  const std::string name = entry == nullptr ? std::to_string(kNobodys) : entry->gr_name;
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  REQUIRE(::chown(state.c_str(), 4711, kNobodys) == 0);
  REQUIRE(::chmod(state.c_str(), 0750) == 0);
  const std::string by_group = "members of the group \"" + name + "\" may (usermod -aG " + name +
                               " USER, then log in again)";
  const std::string by_owner =
      "run this as the agent's user, \"4711\" (sudo -u '#4711' invlog ...)";

  REQUIRE(::seteuid(4713) == 0);
  const std::string to_read = advice_to_read(store), to_write = advice_to_write(store);
  REQUIRE(::seteuid(0) == 0);
  CHECK(to_read == by_group);
  CHECK(to_write == by_owner);
  CHECK(advice_to_read(state) == by_group);

  REQUIRE(::chown(state.c_str(), 4711, 4'711'000) == 0);
  CHECK(advice_to_read(state).starts_with("members of the group \"4711000\" may ("));
  REQUIRE(::chown(state.c_str(), 4711, 0) == 0);  // root's group is nobody's to be in
  CHECK(advice_to_read(state) == by_owner);
  REQUIRE(::chown(state.c_str(), 4711, kNobodys) == 0);
  REQUIRE(::chmod(state.c_str(), 0700) == 0);
  CHECK(advice_to_read(state) == by_owner);
}

#include "agent/config/system_entries.h"

#include <grp.h>
#include <pwd.h>

#include "tests/catch.h"

using namespace invlog::config;

TEST_CASE("users and groups of the system are found by name and number") {
  const passwd* root = ::getpwuid(0);
  const group* wheel = ::getgrgid(0);
  REQUIRE(root != nullptr);
  REQUIRE(wheel != nullptr);
  const auto by_number = find_system_user(0);
  REQUIRE((by_number && *by_number));
  CHECK((*by_number)->name == root->pw_name);
  CHECK((*by_number)->group == root->pw_gid);
  const auto by_name = find_system_user(std::string(root->pw_name));
  REQUIRE((by_name && *by_name));
  CHECK((*by_name)->id == 0);
  const auto group_by_name = find_system_group(wheel->gr_name);
  REQUIRE((group_by_name && *group_by_name));
  CHECK((*group_by_name)->id == 0);
  const auto group_by_number = find_system_group(0);
  REQUIRE((group_by_number && *group_by_number));
  CHECK((*group_by_number)->name == wheel->gr_name);
}

TEST_CASE("nobody of that name is an answer, not an error") {
  const auto user = find_system_user(4'000'000'000u);
  REQUIRE(user);
  CHECK_FALSE(*user);
  CHECK_FALSE(*find_system_group(4'000'000'000u));
  const auto group = find_system_group("no-such-group");
  REQUIRE(group);
  CHECK_FALSE(*group);
}

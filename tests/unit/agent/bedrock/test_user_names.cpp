#include "agent/bedrock/user_names.h"

#include <cerrno>

#include "tests/catch.h"

using namespace invlog::bedrock;

TEST_CASE("a user is named, and one without a name shows as the number") {
  CHECK(user_name(0) == "root");
  CHECK(user_name(4294967000U) == "4294967000");
  CHECK(user_name(0) == "root");
}

TEST_CASE("more users than are kept are all named") {
  for (std::uint32_t uid = 4000000000U; uid < 4000000600U; ++uid) {
    CHECK(user_name(uid) == std::to_string(uid));
  }
  CHECK(user_name(0) == "root");
}

TEST_CASE("a name is kept for a minute, that there is none for a second") {
  UserNames::Time now;
  int asked = 0;
  std::optional<std::string> name;
  UserNames names(
      [&](std::uint32_t) {
        ++asked;
        return name;
      },
      [&] { return now; });
  CHECK(names.of(4711) == "4711");
  name = "ci-7";
  CHECK(names.of(4711) == "4711");
  CHECK(asked == 1);
  now += std::chrono::seconds(1);
  CHECK(names.of(4711) == "ci-7");
  name = "bob";
  now += std::chrono::seconds(59);
  CHECK(names.of(4711) == "ci-7");
  CHECK(asked == 2);
  now += std::chrono::seconds(1);
  CHECK(names.of(4711) == "bob");
}

TEST_CASE("while nobody can be asked a known name stands, and no other is made up") {
  UserNames::Time now;
  int asked = 0;
  tl::expected<std::optional<std::string>, int> answer = tl::unexpected(EIO);
  std::chrono::seconds takes{0};
  UserNames names(
      [&](std::uint32_t) {
        ++asked;
        now += takes;
        return answer;
      },
      [&] { return now; });
  CHECK_FALSE(names.of(4711));
  answer = std::optional<std::string>("ci-7");
  now += std::chrono::seconds(1);
  CHECK(names.of(4711) == "ci-7");
  answer = tl::unexpected(EIO);
  takes = std::chrono::seconds(4);
  now += std::chrono::seconds(60);
  CHECK(names.of(4711) == "ci-7");
  // What does not answer is left alone for longer than it was waited for.
  now += std::chrono::seconds(39);
  CHECK(names.of(4711) == "ci-7");
  CHECK(asked == 3);
  answer = std::optional<std::string>("bob");
  now += std::chrono::seconds(1);
  CHECK(names.of(4711) == "bob");
}

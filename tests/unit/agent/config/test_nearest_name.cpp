#include "agent/config/nearest_name.h"

#include "tests/catch.h"

using invlog::config::nearest_name;

TEST_CASE("a misspelt name finds the one that was meant, a foreign one does not") {
  const std::vector<std::string_view> known = {"listen", "region", "queue_size", "idle_timeout"};
  CHECK(nearest_name("lisen", known) == "listen");
  CHECK(nearest_name("regoin", known) == "region");
  CHECK(nearest_name("queue-size", known) == "queue_size");
  CHECK(nearest_name("idletimeout", known) == "idle_timeout");
  CHECK(nearest_name("ue", {"us", "eu", "ue-x"}) == "eu");
  CHECK(nearest_name("colour", known) == "");
  CHECK(nearest_name("", known) == "");
  CHECK(nearest_name(std::string(100000, 'x'), known) == "");
}

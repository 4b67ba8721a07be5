#include "exporters/aws/chain_options.h"

#include <atomic>
#include <string>

#include "exporters/aws/role_settings.h"
#include "tests/catch.h"

using namespace invlog::aws;
using namespace std::chrono_literals;

TEST_CASE("the session name of a host is one that STS takes, whatever the host is called") {
  CHECK(role_session_name_of_host("web-1.example.com") == "invlog-web-1.example.com");
  CHECK(role_session_name_of_host("a b/c:\xC3\xBC\n") == "invlog-a-b-c----");
  for (const std::string& host : {std::string(), std::string(300, 'x'), std::string("\0", 1)}) {
    CHECK(!problem_of_session_name(role_session_name_of_host(host)));
  }
  CHECK(role_session_name_of_host(std::string(300, 'x')).size() == 64);
}

TEST_CASE("a wait between tries ends at once when invlog stops") {
  ChainOptions options;
  std::atomic<bool> cancelled{true};
  options.cancelled = &cancelled;
  const auto started = std::chrono::steady_clock::now();
  CHECK(!wait_between_tries(options, 1h));
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  CHECK(!wait_between_tries(options, 0ms));

  options.sleep = [&](std::chrono::milliseconds duration) { cancelled = duration == 2s; };
  CHECK(wait_between_tries(options, 1s));
  CHECK(!wait_between_tries(options, 2s));
}

TEST_CASE("chance is from 0 up to, but not, 1") {
  for (int draw = 0; draw < 1000; ++draw) {
    const double random = random_fraction();
    CHECK((random >= 0 && random < 1));
  }
}

// What the loop makes of its configuration; what it does is in tests/integration.
#include "agent/capture/agent_loop.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

}  // namespace

TEST_CASE("A client that stalls is waited for as long as the upstream, but for 300 s at the most") {
  const auto stall_timeout = [](std::chrono::milliseconds idle_timeout) {
    config::AgentConfig configuration;
    configuration.idle_timeout = idle_timeout;
    return session_options_of(configuration).client_stall_timeout;
  };
  CHECK(stall_timeout(config::AgentConfig().idle_timeout) == seconds(300));
  CHECK(stall_timeout(seconds(3600)) == seconds(300));
  CHECK(stall_timeout(seconds(7)) == seconds(7));
}

TEST_CASE("What clients may do is as configured") {
  config::AgentConfig configuration;
  configuration.clients = {seconds(3), seconds(40), 7};
  const SessionOptions options = session_options_of(configuration);
  CHECK(options.header_timeout == seconds(3));
  CHECK(options.keep_alive_timeout == seconds(40));
  CHECK(options.max_connections == 7);
}

}  // namespace invlog::capture

// Whom a connection is served to; how is in tests/integration.
#include "agent/capture/capture_session.h"

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/descriptor_shortage.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {

TEST_CASE("A connection of whose caller nobody could be asked is closed, not served") {
  if (!DescriptorShortage::kPossible)
    return;
  CoroutineLoop loop;
  Watchdog watchdog{std::chrono::steady_clock::now()};
  ClientCounts counts;
  int requests = 0;
  const auto serve = [&](bool shortage) {
    LoopbackPair pair;
    REQUIRE(::send(pair.client, "GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27, 0) == 27);
    StreamSocket socket(loop.executor());
    socket.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP),
                  std::exchange(pair.server, -1));
    std::optional<DescriptorShortage> none_left;
    if (shortage)
      none_left.emplace();
    SessionServices services{{[&requests](Exchange&) -> Task<void> {
                               ++requests;
                               co_return;
                             }},
                             {},
                             watchdog,
                             {},
                             counts};
    const auto ended = loop.start(serve_connection(std::move(socket), services, services.endpoint));
    none_left.reset();
    ::shutdown(pair.client, SHUT_WR);
    CHECK(loop.run_until([&] { return *ended; }));
    return requests;
  };
  CHECK(serve(true) == 0);
  CHECK(serve(false) == 1);
}

}  // namespace invlog::capture

// What systemd would hear, on a datagram socket of the test's own.
#include "agent/service/service_manager.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

namespace invlog::service {
namespace {

class NotifySocket {
 public:
  // `watchdog`: WatchdogSec in microseconds, "" none.
  explicit NotifySocket(const char* watchdog = "") {
    const std::string path = directory_.path() + "/notify";
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    descriptor_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (::bind(descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::runtime_error("cannot bind " + path);
    ::setenv("NOTIFY_SOCKET", path.c_str(), 1);
    if (*watchdog != '\0')
      ::setenv("WATCHDOG_USEC", watchdog, 1);
  }
  ~NotifySocket() {
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
    ::close(descriptor_);
  }
  NotifySocket(const NotifySocket&) = delete;
  NotifySocket& operator=(const NotifySocket&) = delete;

  // What was sent since the last time, each message as it came.
  std::vector<std::string> heard() const {
    std::vector<std::string> messages;
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::recv(descriptor_, buffer, sizeof buffer, 0);
      if (count < 0)
        return messages;
      messages.emplace_back(buffer, static_cast<std::size_t>(count));
    }
  }

 private:
  tests::TemporaryDirectory directory_;
  int descriptor_ = -1;
};

using Messages = std::vector<std::string>;
using std::chrono::milliseconds;
using std::chrono::seconds;

ServiceState with_beats(std::uint64_t beats, std::uint64_t calls = 0) {
  ServiceState state;
  state.writer_beats = beats;
  state.calls = calls;
  return state;
}

}  // namespace

TEST_CASE("The service manager hears ready, reloading and stopping as systemd wants them") {
  const NotifySocket socket;
  ServiceManager manager;
  manager.ready("Listening on 127.0.0.1:4180");
  manager.stopping("two\nlines", std::chrono::seconds(18));
  manager.ready("");
  CHECK(socket.heard() == Messages{"READY=1\nSTATUS=Listening on 127.0.0.1:4180",
                                   "STOPPING=1\nSTATUS=two lines\nEXTEND_TIMEOUT_USEC=18000000",
                                   "READY=1"});
  const auto monotonic_us = [] {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1000;
  };
  const long long before = monotonic_us();
  manager.reloading();
  const long long after = monotonic_us();
  const Messages heard = socket.heard();
  REQUIRE(heard.size() == 1);
  const std::string start = "RELOADING=1\nMONOTONIC_USEC=";
  REQUIRE(heard[0].starts_with(start));
  const long long at = std::stoll(heard[0].substr(start.size()));
  CHECK((before <= at && at <= after));
}

TEST_CASE("The watchdog is fed while the writer moves, and not while it hangs") {
  const NotifySocket socket("40000000");
  ServiceManager manager;
  CHECK(manager.watchdog() == std::chrono::seconds(40));
  auto now = std::chrono::steady_clock::time_point(seconds(1000));
  std::uint64_t beats = 7;
  const auto fed_within = [&](int ticks, bool writer_moves) {
    std::size_t fed = 0;
    for (int tick = 0; tick < ticks; ++tick) {
      now += seconds(1);
      beats += writer_moves ? 1 : 0;
      manager.tick(now, with_beats(beats));
      for (const std::string& message : socket.heard())
        fed += message == "WATCHDOG=1" ? 1 : 0;
    }
    return fed;
  };
  CHECK(fed_within(1, true) == 1);
  CHECK(fed_within(40, true) == 4);  // four times a period
  CHECK(fed_within(10, false) <= 1);
  CHECK(fed_within(200, false) == 0);
  CHECK(fed_within(1, true) == 1);  // it moves again: at once
}

TEST_CASE("Without WatchdogSec, or for another process, no watchdog is fed") {
  {
    const NotifySocket socket;
    ServiceManager manager;
    CHECK_FALSE(manager.watchdog());
    manager.tick(std::chrono::steady_clock::now(), with_beats(1));
    CHECK(socket.heard() == Messages{"STATUS=0.0 calls/s, no record waits for the store"});
  }
  const NotifySocket socket("1000000");
  ::setenv("WATCHDOG_PID", "1", 1);
  CHECK_FALSE(ServiceManager().watchdog());
  ::unsetenv("WATCHDOG_PID");
}

TEST_CASE("The status is renewed every five seconds, with the rate since then, if it is another") {
  const NotifySocket socket;
  ServiceManager manager;
  auto now = std::chrono::steady_clock::time_point(seconds(1000));
  manager.tick(now, with_beats(1, 10));
  CHECK(socket.heard() == Messages{"STATUS=0.0 calls/s, no record waits for the store"});
  manager.tick(now + milliseconds(4900), with_beats(2, 30));
  CHECK(socket.heard().empty());
  manager.tick(now + seconds(5), with_beats(3, 35));
  CHECK(socket.heard() == Messages{"STATUS=5.0 calls/s, no record waits for the store"});
  manager.tick(now + seconds(10), with_beats(4, 60));
  CHECK(socket.heard().empty());
  manager.tick(now + seconds(20), with_beats(5, 5060));
  CHECK(socket.heard() == Messages{"STATUS=500 calls/s, no record waits for the store"});
}

TEST_CASE("The status says what waits, what was lost and why") {
  ServiceState state;
  state.queued_records = 1;
  state.queued_bytes = 812;
  CHECK(status_line(4.25, state) == "4.2 calls/s, 1 record (812 bytes) waits for the store");
  state.queued_records = 312;
  state.queued_bytes = 3'456'789;
  state.dropped = 4;
  state.store_error = "disk full";
  CHECK(status_line(12345, state) ==
        "The store takes no records: disk full; 12345 calls/s, 312 records (3.5 MB) wait for the "
        "store, 4 not kept");
}

TEST_CASE("Without a service manager nothing happens") {
  ::unsetenv("NOTIFY_SOCKET");
  ServiceManager manager;
  manager.ready("x");
  manager.reloading();
  manager.tick(std::chrono::steady_clock::now(), {});
  manager.stopping("", {});
  CHECK_FALSE(manager.watchdog());
}

}  // namespace invlog::service

// What the agent tells systemd (sd_notify(3)): that it is ready, reloading or stopping, a line of
// status, and that it is alive.
//
// Why a class of its own: Type=notify is a protocol with rules (MONOTONIC_USEC with RELOADING=1,
// READY=1 after it, the watchdog fed in time), and nobody but this class should have to know them.
// Without a service manager ($NOTIFY_SOCKET is not set) every function does nothing.
//
// Alive means: the I/O loop runs, since it calls tick(), and the writer's thread has moved since
// the watchdog was last fed. A writer that hangs in its file system so stops the feeding, and
// systemd restarts the agent after WatchdogSec; one that waits for work or tries a full disk again
// moves.
//
// Thread: any, one at a time. Errors: none; what the service manager does not hear, it does not
// hear.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace invlog::service {

// What tick() tells of. Counters are since the start.
struct ServiceState {
  std::uint64_t calls = 0;
  std::uint64_t writer_beats = 0;                    // storage::Writer::heartbeat()
  std::size_t queued_records = 0, queued_bytes = 0;  // on their way to the store
  std::uint64_t dropped = 0;                         // records that were not kept
  std::string store_error;                           // why the store takes no records, "" it does
};

class ServiceManager {
 public:
  using Time = std::chrono::steady_clock::time_point;
  // How often the status line is renewed.
  static constexpr std::chrono::seconds kStatusInterval{5};

  // Reads $WATCHDOG_USEC and $WATCHDOG_PID (sd_watchdog_enabled(3)).
  ServiceManager();

  // READY=1: the agent listens; also the end of a reload, good or refused. `status` is shown by
  // `systemctl status`.
  void ready(const std::string& status);
  // RELOADING=1 with MONOTONIC_USEC, which systemd 253 and newer want (Type=notify-reload). Must be
  // followed by ready().
  void reloading();
  // STOPPING=1: no new calls; those under way may end. `at_most`: how long that takes, which
  // TimeoutStopSec= need not know (EXTEND_TIMEOUT_USEC).
  void stopping(const std::string& status, std::chrono::microseconds at_most);
  // EXTEND_TIMEOUT_USEC: the stop takes longer than TimeoutStopSec allows, and gets on. To be said
  // again about once a second; 10 s after the last time the service manager's patience ends.
  void still_stopping();

  // To be called about once a second from the I/O loop: feeds the watchdog if the agent is alive,
  // and renews the status.
  void tick(Time now, const ServiceState& state);

  // The watchdog's time, if the unit has WatchdogSec.
  std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  void feed(Time now, std::uint64_t beats);
  void show(Time now, const ServiceState& state);

  std::optional<std::chrono::microseconds> watchdog_;
  Time fed_at_{}, shown_at_{};
  bool fed_ = false, shown_ = false;
  std::uint64_t fed_beats_ = 0, shown_calls_ = 0;
  std::string status_;
};

// "4.2 calls/s, 3 records (1.2 kB) wait for the store". `calls_per_second`: at least 0.
std::string status_line(double calls_per_second, const ServiceState& state);

}  // namespace invlog::service

#include "agent/service/service_manager.h"

#include <systemd/sd-daemon.h>

#include <cstdio>
#include <ctime>
#include <utility>

namespace invlog::service {
namespace {

// The watchdog is fed so many times within its period, so that one late feeding is no failure.
constexpr int kFeedsPerPeriod = 4;

// A status of several lines would end after the first and be read as further assignments.
std::string one_line(std::string text) {
  for (char& character : text) {
    if (character == '\n' || character == '\r')
      character = ' ';
  }
  return text;
}

void notify(const std::string& assignments) {
  ::sd_notify(0, assignments.c_str());
}

std::string with_status(const char* assignment, const std::string& status) {
  return status.empty() ? assignment : assignment + ("\nSTATUS=" + one_line(status));
}

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string bytes_text(std::size_t bytes) {
  if (bytes < 1000)
    return std::to_string(bytes) + " bytes";
  const bool kilo = bytes < 1'000'000;
  return formatted(kilo ? "%.1f kB" : "%.1f MB", static_cast<double>(bytes) / (kilo ? 1e3 : 1e6));
}

}  // namespace

std::string status_line(double calls_per_second, const ServiceState& state) {
  std::string line;
  if (!state.store_error.empty())
    line = "The store takes no records: " + state.store_error + "; ";
  line += formatted(calls_per_second < 100 ? "%.1f calls/s" : "%.0f calls/s", calls_per_second);
  if (state.queued_records == 0) {
    line += ", no record waits for the store";
  } else {
    const bool one = state.queued_records == 1;
    line += ", " + std::to_string(state.queued_records) + (one ? " record (" : " records (") +
            bytes_text(state.queued_bytes) + (one ? ") waits" : ") wait") + " for the store";
  }
  if (state.dropped > 0)
    line += ", " + std::to_string(state.dropped) + " not kept";
  return line;
}

ServiceManager::ServiceManager() {
  std::uint64_t microseconds = 0;
  if (::sd_watchdog_enabled(0, &microseconds) > 0)
    watchdog_ = std::chrono::microseconds(microseconds);
}

void ServiceManager::ready(const std::string& status) {
  notify(with_status("READY=1", status));
  status_ = one_line(status);
}

void ServiceManager::reloading() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const std::int64_t microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
  notify("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

void ServiceManager::stopping(const std::string& status, std::chrono::microseconds at_most) {
  notify(with_status("STOPPING=1", status) +
         "\nEXTEND_TIMEOUT_USEC=" + std::to_string(at_most.count()));
}

void ServiceManager::still_stopping() {
  notify("EXTEND_TIMEOUT_USEC=10000000");
}

void ServiceManager::tick(Time now, const ServiceState& state) {
  feed(now, state.writer_beats);
  show(now, state);
}

void ServiceManager::feed(Time now, std::uint64_t beats) {
  if (!watchdog_ || (fed_ && (beats == fed_beats_ || now - fed_at_ < *watchdog_ / kFeedsPerPeriod)))
    return;
  notify("WATCHDOG=1");
  fed_ = true;
  fed_at_ = now;
  fed_beats_ = beats;
}

void ServiceManager::show(Time now, const ServiceState& state) {
  if (shown_ && now - shown_at_ < kStatusInterval)
    return;
  const double seconds = std::chrono::duration<double>(now - shown_at_).count();
  const double rate = shown_ ? static_cast<double>(state.calls - shown_calls_) / seconds : 0;
  shown_ = true;
  shown_at_ = now;
  shown_calls_ = state.calls;
  std::string status = one_line(status_line(rate, state));
  if (status == status_)
    return;
  notify("STATUS=" + status);
  status_ = std::move(status);
}

}  // namespace invlog::service

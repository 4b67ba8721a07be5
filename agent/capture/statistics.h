// What the agent counts, for status.json and the log. A plain value, touched on the I/O thread
// only.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "agent/capture/call_counts.h"
#include "agent/capture/client_counts.h"
#include "agent/capture/proxy_counts.h"

namespace invlog::capture {

struct Statistics {
  static constexpr std::size_t kKeptErrors = 10;

  std::uint64_t calls = 0;            // requests with a well-formed head
  std::uint64_t passed_through = 0;   // calls on paths that are no invocation, sent upstream
  std::uint64_t denied = 0;           // calls refused here
  std::uint64_t policy_denied = 0;    // those of them that policy denied
  std::uint64_t access_denied = 0;    // and those whose callers may not call
  std::uint64_t flagged = 0;          // calls that policy let through with a flag
  std::uint64_t dropped = 0;          // records that could not be handed over
  std::uint64_t upstream_errors = 0;  // calls that ended because of the upstream
  std::uint64_t in_flight = 0;        // calls that have not ended
  CallCounts ended;                   // those that became a record, by how they ended
  ClientCounts clients;
  ProxyCounts proxy;
  std::deque<std::string> last_errors;

  void note_error(std::string text) {
    last_errors.push_back(std::move(text));
    if (last_errors.size() > kKeptErrors)
      last_errors.pop_front();
  }
};

}  // namespace invlog::capture

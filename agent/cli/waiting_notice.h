// When a command without a terminal says that it waits, and for what: not each short wait of a
// delivery that goes on, but soon enough that a log does not stay silent over an endpoint that is
// away.
//
// A value; time comes in with each call. Thread: the caller's. Errors: none.
#pragma once

#include <chrono>
#include <string>

namespace invlog::cli {

class WaitingNotice {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `waiting_for`: the cause by now, "" if nothing is waited for. True: say so now, which is so
  // once it has lasted 2 s, and again each minute.
  bool due(const std::string& waiting_for, Time now);

 private:
  Time since_;  // of the wait under way
  Time said_;
  bool waiting_ = false, has_said_ = false;
};

}  // namespace invlog::cli

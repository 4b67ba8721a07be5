// What the log says of calls: at level debug each one's end, and at level warning why calls do not
// succeed because of the agent, the upstream or policy, at most a line in ten seconds however many
// there are. Never anything of a body, nor headers.
//
// Thread: the I/O thread. Errors: none.
#pragma once

#include <chrono>
#include <cstdint>

#include "agent/bedrock/invocation.h"
#include "agent/bedrock/operation.h"

namespace invlog::capture {

class CallLog {
 public:
  static constexpr std::chrono::seconds kQuiet{10};

  // `call`: with its outcome, duration and error. `now` may be as coarse as a tick.
  void ended(bedrock::Operation operation, const bedrock::Invocation& call,
             std::chrono::steady_clock::time_point now);

 private:
  bool said_ = false;
  std::chrono::steady_clock::time_point said_at_;
  std::uint64_t unsaid_ = 0;  // since then
};

}  // namespace invlog::capture

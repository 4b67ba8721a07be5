// Why the service refuses all that the agent signs, where that is this host's clock: a signature
// is good for 5 minutes. Nothing else of a refused call says so to whoever runs the host.
//
// A pure function; any thread. Errors: none.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/capture/http_message.h"

namespace invlog::capture {

// Of a refusal of what the agent signed at `now`; its `body` without content coding. In words, with
// the difference and what to do; "" it is not the clock.
std::string clock_problem(const ResponseHead& refusal, std::string_view body,
                          std::chrono::system_clock::time_point now);

}  // namespace invlog::capture

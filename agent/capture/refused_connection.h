// A connection beyond max_connections: is told so in the protocol that it speaks, and ends.
//
// That shows only when the client has sent something, which it seldom has when it is accepted: an
// answer in HTTP/1.1 is a broken protocol to a client of HTTP/2. So it waits for the first request,
// for SessionOptions::linger_time at most, and then for the client to read the answer and leave,
// for as long again. Meanwhile it holds a descriptor and a buffer, and no place among the
// connections.
//
// Thread: the I/O thread. Ownership: the coroutine keeps everything it needs alive; `services` must
// outlive it, knows it as one of `refused`, and closes it with these. Errors: none leave it but
// lack of memory; who says nothing, or no request, gets no answer.
#pragma once

#include <cstddef>

#include "agent/capture/capture_session.h"
#include "agent/capture/http_message.h"

namespace invlog::capture {

// So many wait at a time.
inline constexpr std::size_t kMostRefusedWaiting = 64;

Task<void> refuse_connection(StreamSocket socket, SessionServices& services);
// What it is told.
LocalResponse too_many_connections(const SessionOptions& options);

}  // namespace invlog::capture

// What both protocol sessions share: the client's connection, who is behind it, and what they are
// told from outside.
//
// Thread: the I/O thread. Ownership: the session's coroutine keeps its session alive;
// SessionControl is how the listener reaches it without owning it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "agent/bedrock/invocation.h"
#include "agent/capture/asio_types.h"
#include "agent/capture/caller_lookup.h"
#include "agent/capture/client_stream.h"
#include "agent/capture/exchange.h"
#include "agent/capture/interception.h"
#include "agent/capture/watchdog.h"

namespace invlog::capture {

class MemoryBudget;

struct SessionOptions {
  // From a request's first byte to its head's end.
  std::chrono::milliseconds header_timeout{10000};
  // A client that neither sends what it began nor takes what it is sent for so long is gone.
  std::chrono::milliseconds client_stall_timeout{300000};
  // A connection without a request for so long is closed.
  std::chrono::milliseconds keep_alive_timeout{600000};
  // A tunnel in which nothing has passed for so long is closed: nobody knows what is silent there,
  // and the kernel asks both ends whether they are there still.
  std::chrono::milliseconds tunnel_timeout{3600000};
  // After an answer that did not wait for the request's end, what the client still sends of it is
  // read and thrown away for so long, and up to so many bytes: cut off while it sends, it would
  // lose the answer. Over HTTP/2 a refusal first waits for the rest of a body of known length,
  // within the same bounds.
  std::chrono::milliseconds linger_time{2000};
  std::size_t linger_bytes = 256 << 20;
  std::size_t max_concurrent_streams = 100;  // HTTP/2, per connection
  std::size_t max_connections = 1024;
  // Told of what HTTP/2 streams hold before it is read; null: nobody is.
  MemoryBudget* unread_bodies = nullptr;
};

class SessionControl {
 public:
  using Time = std::chrono::steady_clock::time_point;
  virtual ~SessionControl() = default;
  // Lets the exchanges under way finish, then closes; at once if there is none.
  virtual void drain() = 0;
  // Closes the connection now.
  virtual void close() = 0;
  // HTTP/2 streams under way.
  virtual std::size_t streams() const { return 0; }
  // Since when it has waited for its client to ask for something; nothing while a call is under
  // way. A request that is slow to arrive counts as waiting.
  virtual std::optional<Time> idle_since(Time now) const = 0;
};

// The client's connection with the bytes that were read to find out which protocol it speaks.
struct AcceptedConnection {
  ClientStream stream;
  std::string first_bytes;
  CallerLookup caller;
  // Where its calls go as they are, if its TLS is ended here; null: endpoint mode.
  std::shared_ptr<Interception> interception = nullptr;
};

}  // namespace invlog::capture

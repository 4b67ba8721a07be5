#include "agent/capture/refused_connection.h"

#include <boost/asio/redirect_error.hpp>
#include <string>
#include <utility>

#include "agent/capture/http2_refusal.h"
#include "agent/capture/http2_session.h"
#include "agent/capture/opening_connection.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kRefusalReadBytes = 16 * 1024;

// What fits the socket's empty buffer is sent at once or not at all.
bool send_at_once(ClientStream& stream, const std::string& bytes) {
  if (bytes.empty())
    return true;
  error_code failure;
  const asio::const_buffer all(bytes.data(), bytes.size());
  return stream.write_some(&all, &all + 1, failure) == bytes.size() && !failure;
}

}  // namespace

LocalResponse too_many_connections(const SessionOptions& options) {
  return aws_error(503, "ServiceUnavailableException",
                   "invlog: all of the agent's max_connections of " +
                       std::to_string(options.max_connections) + " have a call under way");
}

Task<void> refuse_connection(StreamSocket socket, SessionServices& services) {
  // Refused before the end, it would outlive what it needs.
  if (services.refused.closed())
    co_return;
  const SessionOptions& options = services.options;
  ClientStream stream(std::move(socket));
  OpeningConnection waiting(stream, services, services.refused);
  waiting.wait_at_most(options.linger_time);
  std::string buffer(kRefusalReadBytes, '\0');
  std::size_t count = 0;
  error_code failure;
  // Until it is certain which protocol it is.
  do {
    count +=
        co_await stream.async_read_some(asio::buffer(buffer.data() + count, buffer.size() - count),
                                        asio::redirect_error(use_task, failure));
    if (failure)
      co_return;
  } while (count < Http2Session::kPreface.size() &&
           Http2Session::may_begin_with({buffer.data(), count}));

  const LocalResponse answer = too_many_connections(options);
  std::size_t taken = count;
  if (!Http2Session::may_begin_with({buffer.data(), count})) {
    if (!send_at_once(stream, last_response_text(answer)))
      co_return;
    waiting.wait_at_most(options.linger_time);
  } else {
    Http2Refusal refusal(answer);
    bool answered = false;
    while (!refusal.over() && taken <= options.linger_bytes) {
      if (!send_at_once(stream, refusal.answer_to({buffer.data(), count})))
        co_return;
      if (refusal.answered() && !std::exchange(answered, true))
        waiting.wait_at_most(options.linger_time);
      if (refusal.over())
        break;
      count = co_await stream.async_read_some(asio::buffer(buffer),
                                              asio::redirect_error(use_task, failure));
      if (failure)
        co_return;
      taken += count;
    }
  }
  // What is left unread at the close would have the kernel reset the connection, and the answer
  // with it.
  stream.shutdown_send();
  while (!failure && taken <= options.linger_bytes) {
    taken += co_await stream.async_read_some(asio::buffer(buffer),
                                             asio::redirect_error(use_task, failure));
  }
}

}  // namespace invlog::capture

// The Asio types that capture is written with, named once.
//
// The executor is io_context's own instead of any_io_executor: no type erasure and no allocation at
// each step. A stream socket is generic: the same session code serves TCP and Unix sockets.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>

// GCC 12 and 13 take the frame allocation of asio::awaitable, inlined, for a mismatched pair (GCC
// bug 109224).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
#endif

namespace invlog::capture {

namespace asio = boost::asio;
using boost::system::error_code;
using Executor = asio::io_context::executor_type;
template <class T>
using Task = asio::awaitable<T, Executor>;
using UseTask = asio::use_awaitable_t<Executor>;
inline constexpr UseTask use_task{};
using StreamSocket = asio::basic_stream_socket<asio::generic::stream_protocol, Executor>;

}  // namespace invlog::capture

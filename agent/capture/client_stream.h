// A client's connection as its session reads and writes it: the socket as it is, or TLS that the
// agent ends on it (proxy mode).
//
// TLS reads and writes the socket itself and Asio only says when it is ready, as in
// UpstreamConnection. A read and a write may be under way at once.
//
// Thread: the I/O thread. Ownership: owns the socket; must outlive its operations. close() ends
// what is under way. Errors: results; an orderly end is asio::error::eof.
#pragma once

#include <boost/asio/buffer.hpp>
#include <boost/asio/compose.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/capture/asio_types.h"
#include "agent/capture/tls_context.h"

namespace invlog::capture {

class ClientStream {
 public:
  using Buffers = std::vector<asio::const_buffer>;

  explicit ClientStream(StreamSocket socket);
  ClientStream(ClientStream&&) = default;
  ClientStream& operator=(ClientStream&&) = default;

  // From here on the connection is TLS, of which `first_bytes` have been read already. "" or what
  // went wrong. `session`: a server's, without a BIO.
  Task<std::string> accept_tls(TlsContext::Session session, std::string_view first_bytes);
  // What was agreed by ALPN, "" nothing.
  std::string_view protocol() const { return agreed_protocol(session_.get()); }

  bool is_open() const { return socket_.is_open(); }
  Executor get_executor() { return socket_.get_executor(); }
  int native_handle() { return socket_.native_handle(); }
  // The socket itself, while it is not TLS.
  StreamSocket& socket() { return socket_; }

  // At least one byte, or none and why.
  template <class Token>
  auto async_read_some(asio::mutable_buffer into, Token&& token) {
    if (!session_)
      return socket_.async_read_some(into, std::forward<Token>(token));
    return asio::async_compose<Token, void(error_code, std::size_t)>(TlsRead{*this, into}, token,
                                                                     socket_);
  }
  // What can be taken at once; would_block if nothing can. What was not taken must be given again,
  // by this or by write().
  std::size_t write_some(const asio::const_buffer* first, const asio::const_buffer* last,
                         error_code& failure);
  // All of it.
  Task<void> write(Buffers buffers, error_code& failure);

  // Whether bytes have arrived that nobody has read.
  bool has_unread();
  // Nothing more will be sent.
  void shutdown_send();
  // TLS says goodbye first, if the socket takes that at once.
  void close();
  // Closes so that the client sees that something is missing, if what it was sent names its end.
  void cut();
  // The same where only the connection's end says that all has come: by a reset. What the client
  // has not received yet may be lost.
  void reset();

 private:
  struct TlsRead {
    ClientStream& stream;
    asio::mutable_buffer into;
    bool begun = false, done = false;
    std::size_t count = 0;
    error_code result{};

    template <class Self>
    void operator()(Self& self, error_code failure = {}) {
      if (done)
        return self.complete(result, count);
      const bool first = !std::exchange(begun, true);
      if (failure)
        return self.complete(failure, 0);
      result = stream.tls_read(into, count);
      if (result == asio::error::would_block) {
        return stream.socket_.async_wait(stream.waits_for(), std::move(self));
      }
      if (!first)
        return self.complete(result, count);
      // A composed operation may not complete from where it is begun.
      done = true;
      const Executor executor = stream.get_executor();
      asio::post(executor, std::move(self));
    }
  };

  asio::socket_base::wait_type waits_for() const {
    return waits_to_write_ ? asio::socket_base::wait_write : asio::socket_base::wait_read;
  }
  // would_block: waits_for() says for what.
  error_code tls_read(asio::mutable_buffer into, std::size_t& count);
  error_code tls_failure(int result);

  StreamSocket socket_;
  TlsContext::Session session_;
  bool waits_to_write_ = false;
};

}  // namespace invlog::capture

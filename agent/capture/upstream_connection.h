// One connection to the upstream: address lookup, TCP, the proxy's CONNECT, TLS; then bytes both
// ways.
//
// TLS reads and writes the socket itself (SSL_set_fd) and Asio only says when it is ready: no
// second set of buffers, so that hundreds of connections fit in little memory.
//
// Thread: the I/O thread; one read and one write at a time. cancel() may come at any moment and
// ends what is under way; the connection is then good for nothing. Ownership: shared, since it is
// kept between calls. Errors: results, in words.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/capture/event.h"
#include "agent/capture/name_lookup.h"
#include "agent/capture/own_sockets.h"
#include "agent/capture/tls_context.h"
#include "agent/capture/upstream_endpoint.h"

namespace invlog::capture {

class UpstreamConnection : public std::enable_shared_from_this<UpstreamConnection> {
 public:
  using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  using MayReach = std::function<bool(const asio::ip::tcp::endpoint&)>;

  // `tls` may be null for a plain endpoint, and must outlive the connection. `own`, if any, knows
  // it while it is connected.
  UpstreamConnection(Executor executor, std::shared_ptr<const UpstreamEndpoint> endpoint,
                     const TlsContext* tls, std::shared_ptr<OwnSockets> own = nullptr);
  ~UpstreamConnection();

  // Asked of each address before it is connected to, also of a company's proxy; it is called from
  // open() alone.
  void set_may_reach(MayReach may_reach) { may_reach_ = std::move(may_reach); }
  // Whether open() failed because none of the addresses may be reached.
  bool barred() const { return barred_; }
  // "" or what went wrong: "connect to 10.0.0.1:443: Connection refused".
  Task<std::string> open();
  // At least one byte, or 0 with `failure`; an orderly end is asio::error::eof.
  Task<std::size_t> read_some(char* into, std::size_t room, error_code& failure);
  // All of both, as one write where the transport can.
  Task<void> write(std::string_view first, std::string_view second, error_code& failure);
  // What can be read at once; 0 nothing, also after the end or a failure, which the next read or
  // write finds. For while a write() waits and nobody reads.
  std::size_t read_now(char* into, std::size_t room);
  // Ends the write() that waits, which then fails with operation_aborted. It may come too late,
  // when that has just got on; the connection can still be read, but not be used for another
  // request.
  void stop_write();
  void cancel();
  // Whether HTTP/2 was agreed on.
  bool speaks_http2() const;
  // The connected socket of a plain endpoint, for something else to use.
  TcpSocket& socket() { return socket_; }

  // Whether a kept connection is still open and silent.
  bool alive();
  // Whether the server's TCP has acknowledged anything since mark_request(). True if unknown: also
  // after a reset, which says nothing of what was received before it (an orderly close does), and
  // where the path was lost, on which the acknowledgement may have been.
  void mark_request();
  bool server_took_some() const;
  // How much the server's TCP has acknowledged in all; empty if unknown.
  std::optional<std::uint64_t> acknowledged() const;
  // Why the server or OpenSSL gave TLS up, if that is what ended the connection: "TLS with
  // bedrock.test: tlsv13 alert certificate required"; "" it is not.
  const std::string& tls_problem() const { return tls_problem_; }

  bool reused = false;
  // Of a plain endpoint behind a company's proxy: what it said in one piece with the proxy's
  // answer; read_some() does not give it.
  std::string early_bytes;
  std::string read_buffer;  // for whoever reads; kept here from call to call
  // What HTTP/2 knows of the connection from call to call; its owner is http2_client.cpp.
  std::shared_ptr<void> http2_state;
  std::chrono::nanoseconds idle_since{0};  // its pool's

 private:
  Task<std::string> resolve(const std::string& host, std::uint16_t port,
                            std::vector<asio::ip::tcp::endpoint>& addresses);
  Task<std::string> connect(const std::string& host, std::uint16_t port);
  // Ends with the handshake, by the caller's deadline, or after `limit`, if there is one.
  Task<error_code> try_address(const asio::ip::tcp::endpoint& address,
                               std::optional<std::chrono::milliseconds> limit);
  std::optional<std::chrono::milliseconds> share_of_time(std::size_t addresses_left) const;
  void note_connected();
  Task<std::string> tunnel();
  Task<std::string> handshake();
  std::string tls_failure(const std::string& reason) const;
  // Keeps why a call of OpenSSL's failed for good, if it did.
  void note_tls_problem(int cause, int system_cause);
  // Waits as OpenSSL asked; false if it did not ask, with `failure` set.
  Task<bool> wait_for_tls(int result, error_code& failure);

  Executor executor_;
  const std::shared_ptr<const UpstreamEndpoint> shared_endpoint_;
  const UpstreamEndpoint& endpoint_;
  const TlsContext* tls_;
  TcpSocket socket_;
  TlsContext::Session session_;
  std::string tls_problem_;
  Event resolved_;
  bool cancelled_ = false;
  void note_reset(const error_code& failure);
  // On the wire, as TCP counts: TLS records included.
  std::uint64_t bytes_sent() const;
  std::uint64_t sent_ = 0;  // without TLS
  std::uint64_t sent_before_request_ = 0;
  std::uint64_t acknowledged_at_first_ = 0;
  bool acknowledged_known_ = false;
  bool reset_ = false;  // or the path was lost
  std::shared_ptr<OwnSockets> own_;
  // As `own_` knows it: the local end and the remote one.
  std::optional<std::pair<asio::ip::tcp::endpoint, asio::ip::tcp::endpoint>> ends_;
  MayReach may_reach_;
  bool barred_ = false;
  std::chrono::steady_clock::time_point opened_at_;
  std::uint64_t attempt_ = 0;  // the one under way
};

}  // namespace invlog::capture

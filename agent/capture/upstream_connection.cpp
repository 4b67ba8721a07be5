#include "agent/capture/upstream_connection.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>
#include <vector>

#include "agent/capture/tcp_keepalive.h"
#include "agent/capture/tcp_progress.h"
#include "agent/config/setting_checks.h"

namespace invlog::capture {
namespace {

// One of several addresses always has so long, if that much is left, however many they are.
constexpr std::chrono::milliseconds kEnoughToConnect{1000};
// Not TLS's own doing: the connection ended without goodbye.
constexpr int kCut = SSL_R_UNEXPECTED_EOF_WHILE_READING;

// What the kernel says when nothing has come from the other end for too long.
bool is_lost_path(const error_code& failure) {
  return failure == asio::error::timed_out || failure == asio::error::host_unreachable ||
         failure == asio::error::network_unreachable;
}

}  // namespace

UpstreamConnection::UpstreamConnection(Executor executor,
                                       std::shared_ptr<const UpstreamEndpoint> endpoint,
                                       const TlsContext* tls, std::shared_ptr<OwnSockets> own)
    : executor_(executor),
      shared_endpoint_(std::move(endpoint)),
      endpoint_(*shared_endpoint_),
      tls_(tls),
      socket_(executor),
      own_(std::move(own)) {}

UpstreamConnection::~UpstreamConnection() {
  if (ends_)
    own_->remove(ends_->first, ends_->second);
}

bool UpstreamConnection::speaks_http2() const {
  return agreed_protocol(session_.get()) == "h2";
}

void UpstreamConnection::cancel() {
  cancelled_ = true;
  error_code ignored;
  socket_.close(ignored);
  resolved_.set();
}

Task<std::string> UpstreamConnection::resolve(const std::string& host, std::uint16_t port,
                                              std::vector<asio::ip::tcp::endpoint>& addresses) {
  error_code not_numeric;
  const auto address = asio::ip::make_address(host, not_numeric);
  if (!not_numeric) {
    addresses.emplace_back(address, port);
    co_return std::string();
  }
  const auto names = endpoint_.names ? endpoint_.names : std::make_shared<NameLookup>(executor_, 1);
  NameLookup::Found found{"gave up", {}};
  resolved_.clear();
  const std::uint64_t number = names->start(host, port, [&](NameLookup::Found answer) {
    found = std::move(answer);
    resolved_.set();
  });
  struct Cancel {
    ~Cancel() { names.cancel(number); }
    NameLookup& names;
    const std::uint64_t number;
  } const cancel{*names, number};
  co_await resolved_.wait();
  if (cancelled_)
    co_return "look up " + host + ": gave up";
  addresses.insert(addresses.end(), found.addresses.begin(), found.addresses.end());
  co_return found.problem.empty() ? std::string() : "look up " + host + ": " + found.problem;
}

Task<std::string> UpstreamConnection::connect(const std::string& host, std::uint16_t port) {
  std::vector<asio::ip::tcp::endpoint> addresses;
  std::string problem = co_await resolve(host, port, addresses);
  if (!problem.empty())
    co_return problem;
  const std::string connecting = "connect to " + config::host_and_port(host, port) + ": ";
  if (may_reach_) {
    std::erase_if(addresses, [this](const auto& address) { return !may_reach_(address); });
    barred_ = addresses.empty();
    if (barred_)
      co_return connecting + "its addresses may not be reached";
  }
  for (std::size_t number = 0; number < addresses.size() && !cancelled_; ++number) {
    const auto limit = share_of_time(addresses.size() - number);
    const error_code failure = co_await try_address(addresses[number], limit);
    if (!failure && !cancelled_) {
      note_connected();
      co_return std::string();
    }
    problem = connecting + failure.message();
  }
  co_return problem.empty() ? connecting + "gave up" : problem;
}

std::optional<std::chrono::milliseconds> UpstreamConnection::share_of_time(
    std::size_t addresses_left) const {
  if (endpoint_.connect_timeout.count() == 0 || addresses_left < 2)
    return std::nullopt;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      opened_at_ + endpoint_.connect_timeout - std::chrono::steady_clock::now());
  const std::chrono::milliseconds share = left / static_cast<int>(addresses_left);
  return std::max({share, std::min(left, kEnoughToConnect), std::chrono::milliseconds(0)});
}

Task<error_code> UpstreamConnection::try_address(const asio::ip::tcp::endpoint& address,
                                                 std::optional<std::chrono::milliseconds> limit) {
  using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                           asio::wait_traits<std::chrono::steady_clock>, Executor>;
  error_code failure;
  socket_.close(failure);
  bool late = false;
  Timer timer(executor_);
  if (limit) {
    timer.expires_after(*limit);
    // What has expired is called even if the attempt has just ended.
    timer.async_wait([self = shared_from_this(), attempt = ++attempt_, &late](error_code stopped) {
      if (stopped || attempt != self->attempt_)
        return;
      late = true;
      error_code ignored;
      self->socket_.close(ignored);
    });
  }
  co_await socket_.async_connect(address, asio::redirect_error(use_task, failure));
  ++attempt_;
  co_return late ? error_code(asio::error::timed_out) : failure;
}

void UpstreamConnection::note_connected() {
  error_code failure;
  socket_.set_option(asio::ip::tcp::no_delay(true), failure);
  probe_for_call(socket_.native_handle());
  socket_.non_blocking(true, failure);
  const auto acknowledged = tcp_bytes_acknowledged(socket_.native_handle());
  acknowledged_known_ = acknowledged.has_value();
  acknowledged_at_first_ = acknowledged.value_or(0);
  sent_ = 0;
  if (own_ && !ends_) {
    ends_.emplace(socket_.local_endpoint(failure), socket_.remote_endpoint(failure));
    own_->add(ends_->first, ends_->second);
  }
}

Task<std::string> UpstreamConnection::tunnel() {
  const std::string authority = config::host_and_port(endpoint_.host, endpoint_.port);
  const std::string through =
      "proxy " + config::host_and_port(endpoint_.proxy->host, endpoint_.proxy->port) + ": ";
  std::string request = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n";
  if (!endpoint_.proxy->authorization.empty()) {
    request += "Proxy-Authorization: " + endpoint_.proxy->authorization + "\r\n";
  }
  request += "\r\n";
  error_code failure;
  co_await write(request, {}, failure);
  std::string answer;
  std::size_t end = std::string::npos;
  while (!failure && end == std::string::npos && answer.size() < 16384) {
    char piece[1024];
    answer.append(piece, co_await read_some(piece, sizeof piece, failure));
    end = answer.find("\r\n\r\n");
  }
  if (failure)
    co_return through + failure.message();
  if (end == std::string::npos)
    co_return through + "its answer to CONNECT is too long";
  if (answer.size() < 12 || answer.compare(0, 7, "HTTP/1.") != 0 || answer[9] != '2') {
    co_return through + "refused CONNECT: " + answer.substr(0, answer.find('\r')).substr(0, 100);
  }
  // With TLS nothing can follow: the server waits for our hello.
  if (!endpoint_.tls)
    early_bytes = answer.substr(end + 4);
  co_return std::string();
}

void UpstreamConnection::note_reset(const error_code& failure) {
  if (failure == asio::error::connection_reset || is_lost_path(failure))
    reset_ = true;
}

void UpstreamConnection::note_tls_problem(int cause, int system_cause) {
  if (cause == SSL_ERROR_SYSCALL)
    note_reset(error_code(system_cause, boost::system::system_category()));
  if (cause == SSL_ERROR_SSL && ERR_GET_REASON(ERR_peek_error()) != kCut)
    tls_problem_ = tls_failure(take_tls_error());
}

Task<bool> UpstreamConnection::wait_for_tls(int result, error_code& failure) {
  const int system_cause = errno;
  const int cause = SSL_get_error(session_.get(), result);
  note_tls_problem(cause, system_cause);
  if (cancelled_) {
    failure = asio::error::operation_aborted;
    co_return false;
  }
  if (cause == SSL_ERROR_WANT_READ || cause == SSL_ERROR_WANT_WRITE) {
    co_await socket_.async_wait(
        cause == SSL_ERROR_WANT_READ ? asio::socket_base::wait_read : asio::socket_base::wait_write,
        asio::redirect_error(use_task, failure));
    co_return !failure;
  }
  const error_code system_failure(system_cause, boost::system::system_category());
  if (cause == SSL_ERROR_ZERO_RETURN) {
    failure = asio::error::eof;
  } else if (cause == SSL_ERROR_SYSCALL && is_lost_path(system_failure)) {
    failure = system_failure;
  } else {
    failure = asio::error::connection_reset;
  }
  co_return false;
}

std::string UpstreamConnection::tls_failure(const std::string& reason) const {
  return "TLS with " + endpoint_.host + ": " + reason;
}

Task<std::string> UpstreamConnection::handshake() {
  session_ = tls_->open(socket_.native_handle(), endpoint_.host, endpoint_.offers_http2);
  if (!session_) {
    const std::string reason = take_tls_error();
    co_return tls_failure(reason.empty() ? "no certificate can be checked for this name" : reason);
  }
  for (;;) {
    ERR_clear_error();
    const int result = SSL_connect(session_.get());
    if (result == 1)
      co_return std::string();
    error_code failure;
    if (co_await wait_for_tls(result, failure))
      continue;
    const long verified = SSL_get_verify_result(session_.get());
    if (verified != X509_V_OK)
      co_return tls_failure(X509_verify_cert_error_string(verified));
    if (!tls_problem_.empty())
      co_return tls_problem_;
    const std::string reason = take_tls_error();
    co_return tls_failure(reason.empty() ? failure.message() : reason);
  }
}

Task<std::string> UpstreamConnection::open() {
  const bool elsewhere = !endpoint_.connect_host.empty();
  const bool by_proxy = !elsewhere && endpoint_.proxy.has_value();
  const std::string& host = elsewhere  ? endpoint_.connect_host
                            : by_proxy ? endpoint_.proxy->host
                                       : endpoint_.host;
  const std::uint16_t port = elsewhere  ? endpoint_.connect_port
                             : by_proxy ? endpoint_.proxy->port
                                        : endpoint_.port;
  opened_at_ = std::chrono::steady_clock::now();
  std::string problem = co_await connect(host, port);
  if (problem.empty() && by_proxy)
    problem = co_await tunnel();
  if (problem.empty() && endpoint_.tls)
    problem = co_await handshake();
  co_return problem;
}

Task<std::size_t> UpstreamConnection::read_some(char* into, std::size_t room, error_code& failure) {
  if (cancelled_) {
    failure = asio::error::operation_aborted;
    co_return 0;
  }
  if (!session_) {
    const std::size_t count = co_await socket_.async_read_some(
        asio::buffer(into, room), asio::redirect_error(use_task, failure));
    note_reset(failure);
    co_return count;
  }
  for (;;) {
    std::size_t count = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(session_.get(), into, room, &count);
    if (result == 1)
      co_return count;
    if (!co_await wait_for_tls(result, failure))
      co_return 0;
  }
}

std::size_t UpstreamConnection::read_now(char* into, std::size_t room) {
  if (cancelled_ || !socket_.is_open())
    return 0;
  if (!session_) {
    error_code failure;
    const std::size_t count = socket_.read_some(asio::buffer(into, room), failure);
    note_reset(failure);
    return count;
  }
  std::size_t count = 0;
  ERR_clear_error();
  const int result = SSL_read_ex(session_.get(), into, room, &count);
  if (result == 1)
    return count;
  const int system_cause = errno;
  note_tls_problem(SSL_get_error(session_.get(), result), system_cause);
  return 0;
}

void UpstreamConnection::stop_write() {
  error_code ignored;
  socket_.cancel(ignored);
}

Task<void> UpstreamConnection::write(std::string_view first, std::string_view second,
                                     error_code& failure) {
  if (cancelled_) {
    failure = asio::error::operation_aborted;
    co_return;
  }
  if (!session_) {
    const std::array<asio::const_buffer, 2> buffers{
        asio::const_buffer(first.data(), first.size()),
        asio::const_buffer(second.data(), second.size())};
    // Nearly always the kernel takes all of it, and nothing has to wait for the reactor.
    std::size_t written = socket_.write_some(buffers, failure);
    sent_ += written;
    note_reset(failure);
    if (written == first.size() + second.size() ||
        (failure && failure != asio::error::would_block)) {
      co_return;
    }
    for (std::string_view rest : {first, second}) {
      const std::size_t taken = std::min(written, rest.size());
      written -= taken;
      rest.remove_prefix(taken);
      sent_ += co_await asio::async_write(socket_, asio::buffer(rest),
                                          asio::redirect_error(use_task, failure));
      note_reset(failure);
      if (failure)
        co_return;
    }
    co_return;
  }
  // One TLS record, and so one write, for a small request.
  std::string joined;
  if (first.size() + second.size() <= 16 * 1024) {
    joined.reserve(first.size() + second.size());
    joined.append(first).append(second);
    first = joined;
    second = {};
  }
  for (std::string_view rest : {first, second}) {
    while (!rest.empty()) {
      std::size_t count = 0;
      ERR_clear_error();
      const int result = SSL_write_ex(session_.get(), rest.data(), rest.size(), &count);
      if (result == 1) {
        rest.remove_prefix(count);
      } else if (!co_await wait_for_tls(result, failure)) {
        co_return;
      }
    }
  }
}

bool UpstreamConnection::alive() {
  if (cancelled_ || !socket_.is_open())
    return false;
  char byte;
  if (session_) {
    ERR_clear_error();
    const int result = SSL_peek(session_.get(), &byte, 1);
    return result <= 0 && SSL_get_error(session_.get(), result) == SSL_ERROR_WANT_READ;
  }
  const ssize_t result = ::recv(socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::uint64_t UpstreamConnection::bytes_sent() const {
  return sent_ + (session_ ? BIO_number_written(SSL_get_wbio(session_.get())) : 0);
}

void UpstreamConnection::mark_request() {
  sent_before_request_ = bytes_sent();
}

std::optional<std::uint64_t> UpstreamConnection::acknowledged() const {
  if (cancelled_ || !socket_.is_open())
    return std::nullopt;
  return tcp_bytes_acknowledged(const_cast<TcpSocket&>(socket_).native_handle());
}

bool UpstreamConnection::server_took_some() const {
  if (!acknowledged_known_ || cancelled_ || reset_)
    return true;
  const auto count = acknowledged();
  return !count || *count > acknowledged_at_first_ + sent_before_request_;
}

}  // namespace invlog::capture

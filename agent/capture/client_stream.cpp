#include "agent/capture/client_stream.h"

#include <openssl/bio.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "agent/capture/buffer_range.h"

namespace invlog::capture {
namespace {

// A TLS record takes so much; less is gathered from several buffers first.
constexpr std::size_t kRecordBytes = 16 * 1024;

// What stands in the buffers behind the first `skipped` bytes, up to a record. Depends on nothing
// but that place, because OpenSSL wants the same bytes again after it could not write them.
std::string_view next_record(const BufferRange& buffers, std::size_t skipped,
                             std::string& gathered) {
  gathered.clear();
  for (const asio::const_buffer& buffer : buffers) {
    const std::size_t passed = std::min(skipped, buffer.size());
    skipped -= passed;
    const std::string_view rest(static_cast<const char*>(buffer.data()) + passed,
                                buffer.size() - passed);
    if (gathered.empty() && rest.size() >= kRecordBytes)
      return rest.substr(0, kRecordBytes);
    gathered.append(rest.substr(0, kRecordBytes - gathered.size()));
    if (gathered.size() == kRecordBytes)
      break;
  }
  return gathered;
}

}  // namespace

ClientStream::ClientStream(StreamSocket socket) : socket_(std::move(socket)) {
  error_code ignored;
  socket_.non_blocking(true, ignored);
}

Task<std::string> ClientStream::accept_tls(TlsContext::Session session,
                                           std::string_view first_bytes) {
  BIO* socket = BIO_new_socket(socket_.native_handle(), BIO_NOCLOSE);
  BIO* buffer = BIO_new(BIO_f_buffer());
  if (socket == nullptr || buffer == nullptr) {
    BIO_free(socket);
    BIO_free(buffer);
    co_return std::string("out of memory");
  }
  if (!first_bytes.empty()) {
    BIO_set_buffer_read_data(buffer, const_cast<char*>(first_bytes.data()),
                             static_cast<long>(first_bytes.size()));
  }
  BIO_up_ref(socket);
  SSL_set0_rbio(session.get(), BIO_push(buffer, socket));
  SSL_set0_wbio(session.get(), socket);
  SSL_set_accept_state(session.get());
  session_ = std::move(session);
  for (;;) {
    ERR_clear_error();
    const int result = SSL_accept(session_.get());
    if (result == 1)
      co_return std::string();
    error_code failure = tls_failure(result);
    if (failure == asio::error::would_block) {
      co_await socket_.async_wait(waits_for(), asio::redirect_error(use_task, failure));
      if (!failure && socket_.is_open())
        continue;
    }
    std::string reason = take_tls_error();
    co_return reason.empty() ? failure.message() : reason;
  }
}

error_code ClientStream::tls_failure(int result) {
  const int system_cause = errno;
  switch (SSL_get_error(session_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      waits_to_write_ = false;
      return asio::error::would_block;
    case SSL_ERROR_WANT_WRITE:
      waits_to_write_ = true;
      return asio::error::would_block;
    case SSL_ERROR_ZERO_RETURN:
      return asio::error::eof;
    case SSL_ERROR_SYSCALL:
      if (system_cause != 0)
        return error_code(system_cause, boost::system::system_category());
      [[fallthrough]];
    default:
      return asio::error::connection_reset;
  }
}

error_code ClientStream::tls_read(asio::mutable_buffer into, std::size_t& count) {
  count = 0;
  if (!socket_.is_open())
    return asio::error::operation_aborted;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_read_ex(session_.get(), into.data(), into.size(), &count);
  return result == 1 ? error_code() : tls_failure(result);
}

std::size_t ClientStream::write_some(const asio::const_buffer* first,
                                     const asio::const_buffer* last, error_code& failure) {
  const BufferRange buffers{first, last};
  failure.clear();
  if (!session_)
    return socket_.write_some(buffers, failure);
  if (!socket_.is_open()) {
    failure = asio::error::operation_aborted;
    return 0;
  }
  const std::size_t total = asio::buffer_size(buffers);
  std::string gathered;
  std::size_t written = 0;
  while (written < total) {
    const std::string_view record = next_record(buffers, written, gathered);
    std::size_t count = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_write_ex(session_.get(), record.data(), record.size(), &count);
    if (result != 1) {
      failure = tls_failure(result);
      break;
    }
    written += count;
  }
  if (written > 0 && failure == asio::error::would_block)
    failure.clear();
  return written;
}

Task<void> ClientStream::write(Buffers buffers, error_code& failure) {
  if (!session_) {
    co_await asio::async_write(socket_, buffers, asio::redirect_error(use_task, failure));
    co_return;
  }
  for (;;) {
    std::size_t written = write_some(buffers.data(), buffers.data() + buffers.size(), failure);
    for (asio::const_buffer& buffer : buffers) {
      const std::size_t taken = std::min(written, buffer.size());
      written -= taken;
      buffer += taken;
    }
    if (failure && failure != asio::error::would_block)
      co_return;
    if (asio::buffer_size(buffers) == 0) {
      failure.clear();
      co_return;
    }
    co_await socket_.async_wait(waits_for(), asio::redirect_error(use_task, failure));
    if (failure)
      co_return;
  }
}

bool ClientStream::has_unread() {
  if (!socket_.is_open())
    return false;
  if (session_ && (SSL_has_pending(session_.get()) == 1 ||
                   BIO_ctrl_pending(SSL_get_rbio(session_.get())) > 0)) {
    return true;
  }
  error_code ignored;
  return socket_.available(ignored) > 0;
}

void ClientStream::shutdown_send() {
  if (!socket_.is_open())
    return;
  if (session_ && SSL_is_init_finished(session_.get())) {
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
  }
  error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
}

void ClientStream::close() {
  if (session_)
    shutdown_send();
  cut();
}

void ClientStream::reset() {
  error_code ignored;
  socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  cut();
}

void ClientStream::cut() {
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace invlog::capture

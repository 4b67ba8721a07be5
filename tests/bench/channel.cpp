#include "tests/bench/channel.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace invlog::bench {
namespace {

std::runtime_error tls_failure(const std::string& what) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = ERR_reason_error_string(code);
  return std::runtime_error(what + ": " + (reason != nullptr ? reason : "the peer went away"));
}

Tls make(const SSL_METHOD* method) {
  Tls context(SSL_CTX_new(method));
  if (!context) {
    throw tls_failure("TLS");
  }
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

Tls make_client_tls(const std::string& ca_file) {
  Tls context = make(TLS_client_method());
  if (SSL_CTX_load_verify_file(context.get(), ca_file.c_str()) != 1) {
    throw tls_failure(ca_file);
  }
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context.get(), kProtocols, sizeof kProtocols - 1);
  return context;
}

Tls make_server_tls(const std::string& certificate_file, const std::string& key_file) {
  Tls context = make(TLS_server_method());
  if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1 ||
      SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    throw tls_failure(certificate_file + " and " + key_file);
  }
  return context;
}

Channel::Channel(int fd, SSL_CTX* tls) : fd_(fd) {
  if (tls != nullptr) {
    ssl_.reset(SSL_new(tls));
    SSL_set_fd(ssl_.get(), fd_);
    SSL_set_accept_state(ssl_.get());
  }
}

Channel::~Channel() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

void Channel::connect(const std::string& host, std::uint16_t port) {
  ssl_.reset();
  if (fd_ >= 0) {
    ::close(fd_);
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd_ < 0 || ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
    throw std::runtime_error("connecting to " + host + ":" + std::to_string(port) + ": " +
                             std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void Channel::ask_proxy_for(const std::string& target) {
  const std::string request = "CONNECT " + target + " HTTP/1.1\r\nHost: " + target + "\r\n\r\n";
  std::string answer;
  char byte = 0;
  if (::send(fd_, request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size())) {
    throw std::runtime_error("CONNECT " + target + ": " + std::strerror(errno));
  }
  while (!answer.ends_with("\r\n\r\n") && ::recv(fd_, &byte, 1, 0) == 1) {
    answer += byte;
  }
  if (answer.find(" 200 ") != answer.find(' ') || !answer.ends_with("\r\n\r\n")) {
    throw std::runtime_error("CONNECT " + target +
                             " was answered with: " + answer.substr(0, answer.find("\r\n")));
  }
}

void Channel::start_tls(SSL_CTX* tls, const std::string& host) {
  ssl_.reset(SSL_new(tls));
  SSL_set_fd(ssl_.get(), fd_);
  SSL_set_tlsext_host_name(ssl_.get(), host.c_str());
  SSL_set1_host(ssl_.get(), host.c_str());
  if (SSL_connect(ssl_.get()) != 1) {
    throw tls_failure("TLS with " + host);
  }
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
}

ssize_t Channel::receive(char* bytes, std::size_t most) {
  if (!ssl_) {
    const auto count = ::recv(fd_, bytes, most, MSG_DONTWAIT);
    return count < 0 && errno != EAGAIN && errno != EINTR ? 0 : count;
  }
  // A record at a time: what the buffer has room for leaves none behind in the session.
  const int count = SSL_read(ssl_.get(), bytes, static_cast<int>(most));
  if (count > 0) {
    return count;
  }
  const bool later = SSL_get_error(ssl_.get(), count) == SSL_ERROR_WANT_READ;
  ERR_clear_error();
  return later ? -1 : 0;
}

ssize_t Channel::send(const iovec* parts, std::size_t count) {
  if (!ssl_) {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    return ::sendmsg(fd_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  joined_.clear();
  for (std::size_t part = 0; part < count; ++part) {
    joined_.append(static_cast<const char*>(parts[part].iov_base), parts[part].iov_len);
  }
  std::size_t sent = 0;
  while (sent < joined_.size()) {
    const int written =
        SSL_write(ssl_.get(), joined_.data() + sent, static_cast<int>(joined_.size() - sent));
    if (written <= 0) {
      ERR_clear_error();
      break;
    }
    sent += static_cast<std::size_t>(written);
  }
  return static_cast<ssize_t>(sent);
}

}  // namespace invlog::bench

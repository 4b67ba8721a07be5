// A connection of the bench's client or upstream: a TCP socket, with TLS over it or without. What
// is not TLS costs nothing more than the socket's own calls.
//
// Thread: one. Ownership: the socket and its TLS session. Errors: make_tls() and what opens a
// connection throw std::runtime_error with the cause; receive() and send() say it in their result.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace invlog::bench {

struct FreeTls {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using Tls = std::unique_ptr<SSL_CTX, FreeTls>;

// Clients trust what `ca_file` (PEM) has, and offer HTTP/1.1 only.
Tls make_client_tls(const std::string& ca_file);
// `certificate_file`: PEM, with what is behind it in the chain.
Tls make_server_tls(const std::string& certificate_file, const std::string& key_file);

class Channel {
 public:
  Channel() = default;
  // Takes over a non-blocking socket that a server accepted; `tls` null: none.
  Channel(int fd, SSL_CTX* tls);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  // Connects to an IPv4 address, instead of what there was before.
  void connect(const std::string& host, std::uint16_t port);
  // On a new connection: asks a proxy for `target`, "HOST:PORT".
  void ask_proxy_for(const std::string& target);
  // Then: the handshake, for a server of this name, which its certificate must have.
  void start_tls(SSL_CTX* tls, const std::string& host);

  int fd() const { return fd_; }
  // Bytes that came; 0: the connection has ended; -1: none yet.
  ssize_t receive(char* bytes, std::size_t most);
  // How many of these bytes it took, in order; 0 or fewer if it takes none now. What it did not
  // take has to be the beginning of the next send().
  ssize_t send(const iovec* parts, std::size_t count);

 private:
  int fd_ = -1;
  std::unique_ptr<SSL, FreeTls> ssl_;
  std::string joined_;  // send()'s parts as one
};

}  // namespace invlog::bench

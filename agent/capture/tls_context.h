// How the upstream is authenticated: TLS 1.2 or newer, certificate chain and host name verified,
// roots from the system or from a bundle.
//
// Thread: any one. Errors: the constructor throws std::runtime_error with one clear line for a
// bundle that cannot be read. OpenSSL writes to sockets with write(2): the process must ignore
// SIGPIPE, which the constructor sees to.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace invlog::capture {

class TlsContext {
 public:
  // `ca_bundle`: PEM file, "" the system's roots.
  explicit TlsContext(const std::string& ca_bundle);

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };
  using Session = std::unique_ptr<SSL, Free>;
  // A client session for `host` over a connected, non-blocking descriptor, before its handshake.
  // Null: OpenSSL failed, or `host` is no name that a certificate could be checked for.
  Session open(int descriptor, const std::string& host, bool offer_http2 = false) const;

 private:
  std::unique_ptr<SSL_CTX, Free> context_;
};

// What was agreed by ALPN, "" nothing; `session` may be null.
std::string_view agreed_protocol(const SSL* session);

// The reason of this thread's oldest OpenSSL error, and clears them; "" if there is none.
std::string take_tls_error();

}  // namespace invlog::capture

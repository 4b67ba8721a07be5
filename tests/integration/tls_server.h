// The server's side of TLS for tests: certificates made on the spot, and one connection at a time.
//
// Threads: a ServerCertificate is read by all, a TlsServerConnection belongs to its script. Errors:
// what OpenSSL cannot do throws std::runtime_error; a handshake that fails is a result.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/integration/scripted_upstream.h"
#include "tests/temporary_directory.h"

namespace invlog::test {

// A certificate for `names`, signed by an authority of its own.
class ServerCertificate {
 public:
  // `names`: as in a certificate request, "DNS:bedrock.test,IP:127.0.0.1". `valid_days`: from
  // yesterday on; 0 is expired.
  explicit ServerCertificate(const std::string& names, int valid_days = 2);
  // The authority's certificate as a PEM file.
  const std::string& authority_file() const { return authority_file_; }
  // For clients up to `newest_version` (TLS1_3_VERSION and the like).
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(int newest_version = TLS1_3_VERSION) const;

 private:
  struct Free {
    void operator()(X509* certificate) const { X509_free(certificate); }
    void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  };
  tests::TemporaryDirectory directory_;
  std::string authority_file_;
  std::unique_ptr<X509, Free> certificate_;
  std::unique_ptr<EVP_PKEY, Free> key_;
};

class TlsServerConnection {
 public:
  TlsServerConnection(const ServerCertificate& certificate, LoopbackSocket& socket,
                      int newest_version = TLS1_3_VERSION);
  ~TlsServerConnection() { SSL_free(session_); }
  TlsServerConnection(const TlsServerConnection&) = delete;
  TlsServerConnection& operator=(const TlsServerConnection&) = delete;

  // Before the handshake: HTTP/2 is agreed on with a client that offers it.
  void offer_http2();
  bool handshake() { return SSL_accept(session_) == 1; }
  UpstreamRequest read_request();
  std::string read_exactly(std::size_t count);  // less at the connection's end
  bool send(std::string_view bytes);
  // Says that nothing follows (close_notify).
  void say_end() { SSL_shutdown(session_); }

 private:
  bool read_more();

  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context_;
  SSL* session_;
  std::string buffer_;
};

}  // namespace invlog::test

// Ends applications' TLS connections in the name of an intercepted host, with a leaf that the local
// certificate authority issues for it: one in memory for each name, renewed before it expires and
// when the clock is set back to before it.
//
// TLS 1.2 or newer, no renegotiation, ALPN offers HTTP/2 and HTTP/1.1. A client that names another
// host than the one it connected to is refused (unrecognized_name).
//
// Thread: the I/O thread. Ownership: sessions stay valid when their leaf is renewed; this must
// outlive their handshakes. Errors: results.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "agent/capture/tls_context.h"
#include "agent/proxy/certificate_authority.h"

namespace invlog::proxy {

class ServerTls {
 public:
  using Clock = std::function<CertificateAuthority::Time()>;

  ServerTls(CertificateAuthority authority, Clock clock);

  // A server's session for `host`, before its handshake and without a BIO.
  tl::expected<capture::TlsContext::Session, std::string> open(const std::string& host);
  // No handshake for `host` may be under way.
  void forget(const std::string& host) { served_.erase(host); }
  // Leaves from now on are issued by this one. False: it is the one that it has.
  bool replace(CertificateAuthority authority);

 private:
  using Context = std::unique_ptr<SSL_CTX, capture::TlsContext::Free>;
  struct Served {
    // A clock that was ahead when the leaf was issued leaves one that is not valid yet.
    bool serves_at(CertificateAuthority::Time now) const {
      return context && valid_from <= now && now < renew_at;
    }
    Context context;
    CertificateAuthority::Time valid_from, renew_at;
  };
  tl::expected<Context, std::string> make(const std::string& host, const Leaf& leaf) const;

  CertificateAuthority authority_;
  Clock clock_;
  std::map<std::string, Served> served_;  // by host; handshakes refer to the name here
};

}  // namespace invlog::proxy

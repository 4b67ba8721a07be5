#include "agent/capture/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <stdexcept>

namespace invlog::capture {

std::string_view agreed_protocol(const SSL* session) {
  const unsigned char* name = nullptr;
  unsigned length = 0;
  if (session != nullptr)
    SSL_get0_alpn_selected(session, &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

std::string take_tls_error() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0)
    return {};
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL error " + std::to_string(code);
}

TlsContext::TlsContext(const std::string& ca_bundle) : context_(SSL_CTX_new(TLS_client_method())) {
  std::signal(SIGPIPE, SIG_IGN);
  if (!context_)
    throw std::runtime_error("TLS: " + take_tls_error());
  SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
  // Idle connections keep no buffers; a retried write may come from another address.
  SSL_CTX_set_mode(context_.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                       SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  const int loaded = ca_bundle.empty()
                         ? SSL_CTX_set_default_verify_paths(context_.get())
                         : SSL_CTX_load_verify_file(context_.get(), ca_bundle.c_str());
  if (loaded != 1) {
    const std::string reason = take_tls_error();
    throw std::runtime_error("ca_bundle " + ca_bundle + ": " +
                             (reason.empty() ? "no certificate could be read" : reason));
  }
}

TlsContext::Session TlsContext::open(int descriptor, const std::string& host,
                                     bool offer_http2) const {
  Session session(SSL_new(context_.get()));
  if (!session)
    return session;
  SSL_set_fd(session.get(), descriptor);
  SSL_set_connect_state(session.get());
  unsigned char address[sizeof(in6_addr)];
  const bool numeric = ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
                       ::inet_pton(AF_INET6, host.c_str(), address) == 1;
  SSL_set_hostflags(session.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // To OpenSSL, an empty name is the wish to check none.
  const bool checked =
      numeric ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session.get()), host.c_str()) == 1
              : !host.empty() && SSL_set_tlsext_host_name(session.get(), host.c_str()) == 1 &&
                    SSL_set1_host(session.get(), host.c_str()) == 1;
  if (!checked)
    return nullptr;
  static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  constexpr unsigned kHttp2Bytes = 3;
  const unsigned skipped = offer_http2 ? 0 : kHttp2Bytes;
  SSL_set_alpn_protos(session.get(), kProtocols + skipped, sizeof kProtocols - 1 - skipped);
  return session;
}

}  // namespace invlog::capture

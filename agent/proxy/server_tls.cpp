#include "agent/proxy/server_tls.h"

#include "agent/capture/http_message.h"
#include "agent/proxy/certificate_files.h"

namespace invlog::proxy {
namespace {

using capture::take_tls_error;
using capture::TlsContext;

// HTTP/2 first, where the client offers both.
constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* length,
                    const unsigned char* offered, unsigned offered_length, void*) {
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, length, kProtocols, sizeof kProtocols - 1,
                                           offered, offered_length);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

int check_name(SSL* session, int* alert, void* host) {
  const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr)
    return SSL_TLSEXT_ERR_NOACK;
  std::string_view asked = name;
  if (!asked.empty() && asked.back() == '.')
    asked.remove_suffix(1);
  if (capture::equal_ignoring_case(asked, *static_cast<const std::string*>(host)))
    return SSL_TLSEXT_ERR_OK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

bool use_leaf(SSL_CTX* context, const Leaf& leaf) {
  if (SSL_CTX_use_certificate(context, leaf.certificate.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context, leaf.key.get()) != 1) {
    return false;
  }
  for (const Certificate& certificate : leaf.chain) {
    if (SSL_CTX_add1_chain_cert(context, certificate.get()) != 1)
      return false;
  }
  return true;
}

}  // namespace

ServerTls::ServerTls(CertificateAuthority authority, Clock clock)
    : authority_(std::move(authority)), clock_(std::move(clock)) {}

tl::expected<ServerTls::Context, std::string> ServerTls::make(const std::string& host,
                                                              const Leaf& leaf) const {
  Context context(SSL_CTX_new(TLS_server_method()));
  if (!context || !use_leaf(context.get(), leaf))
    return tl::unexpected("TLS for " + host + ": " + take_tls_error());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  SSL_CTX_set_tlsext_servername_callback(context.get(), check_name);
  SSL_CTX_set_tlsext_servername_arg(context.get(), const_cast<std::string*>(&host));
  return context;
}

tl::expected<TlsContext::Session, std::string> ServerTls::open(const std::string& host) {
  const auto [place, added] = served_.try_emplace(host);
  Served& served = place->second;
  const CertificateAuthority::Time now = clock_();
  if (!served.serves_at(now)) {
    auto leaf = authority_.issue(host, now);
    if (!leaf) {
      if (added)
        served_.erase(place);
      return tl::unexpected(leaf.error());
    }
    auto context = make(place->first, *leaf);
    if (!context)
      return tl::unexpected(context.error());
    served.context = std::move(*context);
    served.valid_from = leaf->valid_from;
    served.renew_at = leaf->renew_at;
  }
  TlsContext::Session session(SSL_new(served.context.get()));
  if (!session)
    return tl::unexpected("TLS for " + host + ": " + take_tls_error());
  return session;
}

bool ServerTls::replace(CertificateAuthority authority) {
  const bool same = der_of(authority.certificate()) == der_of(authority_.certificate());
  authority_ = std::move(authority);  // which may have another ca-cross.pem
  for (auto& [host, served] : served_)
    served.context.reset();
  return !same;
}

}  // namespace invlog::proxy

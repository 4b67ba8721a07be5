#include "tests/integration/tls_server.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <csignal>
#include <stdexcept>

namespace invlog::test {
namespace {

void require(bool good, const char* what) {
  if (!good)
    throw std::runtime_error(std::string("test certificate: ") + what);
}

X509* make_certificate(EVP_PKEY* key, const char* common_name, int valid_days, X509* issuer,
                       EVP_PKEY* issuer_key, int extension, const std::string& value) {
  X509* certificate = X509_new();
  require(certificate != nullptr, "no memory");
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer == nullptr ? 1 : 2);
  constexpr long kDay = 86400;
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(certificate), (valid_days - 1) * kDay + kDay / 2);
  if (valid_days == 0)
    X509_gmtime_adj(X509_getm_notAfter(certificate), -kDay / 2);
  X509_NAME* name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(common_name), -1, -1, 0);
  X509_set_issuer_name(certificate,
                       X509_get_subject_name(issuer == nullptr ? certificate : issuer));
  X509_set_pubkey(certificate, key);
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer == nullptr ? certificate : issuer, certificate, nullptr, nullptr,
                 0);
  X509_EXTENSION* added = X509V3_EXT_conf_nid(nullptr, &context, extension, value.c_str());
  require(added != nullptr, value.c_str());
  X509_add_ext(certificate, added, -1);
  X509_EXTENSION_free(added);
  require(X509_sign(certificate, issuer_key, EVP_sha256()) != 0, "cannot sign");
  return certificate;
}

}  // namespace

ServerCertificate::ServerCertificate(const std::string& names, int valid_days) {
  const std::unique_ptr<EVP_PKEY, Free> authority_key(EVP_EC_gen("P-256"));
  key_.reset(EVP_EC_gen("P-256"));
  require(authority_key && key_, "no keys");
  const std::unique_ptr<X509, Free> authority(
      make_certificate(authority_key.get(), "a test's authority", 2, nullptr, authority_key.get(),
                       NID_basic_constraints, "critical,CA:TRUE"));
  certificate_.reset(make_certificate(key_.get(), "a test's server", valid_days, authority.get(),
                                      authority_key.get(), NID_subject_alt_name, names));
  BIO* text = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(text, authority.get());
  char* bytes = nullptr;
  const long length = BIO_get_mem_data(text, &bytes);
  authority_file_ = directory_.write("authority.pem", {bytes, static_cast<std::size_t>(length)});
  BIO_free(text);
}

std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> ServerCertificate::context(int newest_version) const {
  std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> made(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  require(made != nullptr, "no context");
  if (newest_version < TLS1_2_VERSION) {
    // Debian's OpenSSL speaks it only when asked so.
    SSL_CTX_set_security_level(made.get(), 0);
    SSL_CTX_set_min_proto_version(made.get(), newest_version);
  }
  SSL_CTX_set_max_proto_version(made.get(), newest_version);
  require(SSL_CTX_use_certificate(made.get(), certificate_.get()) == 1 &&
              SSL_CTX_use_PrivateKey(made.get(), key_.get()) == 1,
          "certificate and key do not fit");
  return made;
}

TlsServerConnection::TlsServerConnection(const ServerCertificate& certificate,
                                         LoopbackSocket& socket, int newest_version)
    : context_(certificate.context(newest_version)), session_(SSL_new(context_.get())) {
  std::signal(SIGPIPE, SIG_IGN);
  require(session_ != nullptr, "no session");
  SSL_set_fd(session_, socket.descriptor());
}

void TlsServerConnection::offer_http2() {
  const auto choose = [](SSL*, const unsigned char** chosen, unsigned char* length,
                         const unsigned char* offered, unsigned offered_length, void*) {
    static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
    unsigned char* found = nullptr;
    const int result =
        SSL_select_next_proto(&found, length, kHttp2, sizeof kHttp2, offered, offered_length);
    *chosen = found;
    return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
  };
  SSL_CTX_set_alpn_select_cb(context_.get(), choose, nullptr);
}

bool TlsServerConnection::read_more() {
  char bytes[16 * 1024];
  std::size_t count = 0;
  if (SSL_read_ex(session_, bytes, sizeof bytes, &count) != 1)
    return false;
  buffer_.append(bytes, count);
  return true;
}

std::string TlsServerConnection::read_exactly(std::size_t count) {
  while (buffer_.size() < count && read_more()) {
  }
  const std::string bytes = buffer_.substr(0, count);
  buffer_.erase(0, count);
  return bytes;
}

UpstreamRequest TlsServerConnection::read_request() {
  UpstreamRequest request;
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more())
      return request;
  }
  request.head = buffer_.substr(0, end);
  buffer_.erase(0, end + 4);
  const auto length = request.header("Content-Length");
  const std::size_t count = length ? std::stoul(*length) : 0;
  while (buffer_.size() < count) {
    if (!read_more())
      return request;
  }
  request.body = buffer_.substr(0, count);
  buffer_.erase(0, count);
  request.complete = true;
  return request;
}

bool TlsServerConnection::send(std::string_view bytes) {
  std::size_t count = 0;
  return SSL_write_ex(session_, bytes.data(), bytes.size(), &count) == 1;
}

}  // namespace invlog::test

#include "tests/unit/agent/proxy/authority_scene.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <iterator>
#include <stdexcept>

#include "agent/proxy/certificate_builder.h"

namespace invlog::tests {

using namespace invlog::proxy;

void AuthorityScene::create(Time now) {
  const auto created = AuthorityFiles(directory.path()).create(purpose(), {}, now);
  if (!created)
    throw std::runtime_error(created.error());
}

Overlap AuthorityScene::rotate(Time now) {
  auto overlap = AuthorityFiles(directory.path()).rotate(purpose(), {}, now);
  if (!overlap)
    throw std::runtime_error(overlap.error());
  return *overlap;
}

CertificateAuthority AuthorityScene::authority(Time now) const {
  auto authority = CertificateAuthority::load(directory.path(), now);
  if (!authority)
    throw std::runtime_error(authority.error());
  return std::move(*authority);
}

std::string AuthorityScene::text(const std::string& name) const {
  std::ifstream file(path(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

Certificates AuthorityScene::trusted() const {
  auto certificates = certificates_in(path("ca.pem"));
  if (!certificates)
    throw std::runtime_error(certificates.error());
  return std::move(*certificates);
}

PrivateKey AuthorityScene::key() const {
  const std::string pem = text("ca-key.pem");
  BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
  PrivateKey key(PEM_read_bio_PrivateKey(bio, nullptr, nullptr, nullptr));
  BIO_free(bio);
  return key;
}

// As strictly as Python 3.13 does, which checks RFC 5280's rules for extensions, too.
std::string refusal(const Certificates& trusted, const Leaf& leaf, const std::string& host,
                    Time time) {
  X509_STORE* store = X509_STORE_new();
  for (const Certificate& certificate : trusted)
    X509_STORE_add_cert(store, certificate.get());
  STACK_OF(X509)* chain = sk_X509_new_null();
  for (const Certificate& certificate : leaf.chain)
    sk_X509_push(chain, certificate.get());
  X509_STORE_CTX* context = X509_STORE_CTX_new();
  X509_STORE_CTX_init(context, store, leaf.certificate.get(), chain);
  X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_X509_STRICT);
  X509_VERIFY_PARAM_set_time(rules, std::chrono::system_clock::to_time_t(time));
  X509_STORE_CTX_set_default(context, "ssl_server");
  if (!host.empty())
    X509_VERIFY_PARAM_set1_host(rules, host.data(), host.size());
  const bool accepted = X509_verify_cert(context) == 1;
  const std::string reason =
      accepted ? "" : X509_verify_cert_error_string(X509_STORE_CTX_get_error(context));
  X509_STORE_CTX_free(context);
  sk_X509_free(chain);
  X509_STORE_free(store);
  return reason;
}

Leaf forged(const AuthorityScene& scene, const std::string& names) {
  const Certificates trusted = scene.trusted();
  X509* issuer = trusted.front().get();
  Leaf leaf;
  leaf.key = new_private_key();
  leaf.certificate.reset(X509_new());
  X509* certificate = leaf.certificate.get();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  ASN1_TIME_set(X509_getm_notBefore(certificate), std::chrono::system_clock::to_time_t(kNow));
  ASN1_TIME_set(X509_getm_notAfter(certificate),
                std::chrono::system_clock::to_time_t(kNow + std::chrono::hours(24)));
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("example.com"), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  X509_set_pubkey(certificate, leaf.key.get());
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const auto add = [&](int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  };
  add(NID_authority_key_identifier, "keyid");
  add(NID_subject_key_identifier, "hash");
  if (!names.empty())
    add(NID_subject_alt_name, names.c_str());
  X509_sign(certificate, scene.key().get(), EVP_sha256());
  return leaf;
}

}  // namespace invlog::tests

#include "agent/proxy/certificate_builder.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include <array>
#include <stdexcept>
#include <string_view>

namespace invlog::proxy {
namespace {

constexpr int kSerialBits = 128;
constexpr int kKeyUsageDigitalSignature = 0, kKeyUsageCertSign = 5, kKeyUsageCrlSign = 6;
constexpr std::string_view kNoHost = "invalid";
constexpr std::size_t kAddressAndMaskV4 = 8, kAddressAndMaskV6 = 32;  // RFC 5280 §4.2.1.10

template <auto free>
struct FreeWith {
  template <typename Structure>
  void operator()(Structure* structure) const {
    free(structure);
  }
};
template <typename Structure, auto free>
using Owned = std::unique_ptr<Structure, FreeWith<free>>;

[[noreturn]] void fail(const char* what) {
  throw std::runtime_error(std::string("a certificate cannot be made: ") + what +
                           take_openssl_reason());
}

void must(bool done, const char* what) {
  if (!done) {
    fail(what);
  }
}

template <typename Structure>
Structure* made(Structure* structure) {
  must(structure != nullptr, "no memory");
  return structure;
}

void set_time(ASN1_TIME* field, CertificateBuilder::Time time) {
  must(ASN1_TIME_set(field, std::chrono::system_clock::to_time_t(time)) != nullptr, "time");
}

void add_extension(X509* certificate, int nid, void* value, bool critical) {
  must(X509_add1_ext_i2d(certificate, nid, value, critical ? 1 : 0, X509V3_ADD_DEFAULT) == 1,
       OBJ_nid2sn(nid));
}

void add_key_usage(X509* certificate, std::initializer_list<int> bits) {
  const Owned<ASN1_BIT_STRING, ASN1_BIT_STRING_free> usage(made(ASN1_BIT_STRING_new()));
  for (const int bit : bits) {
    must(ASN1_BIT_STRING_set_bit(usage.get(), bit, 1) == 1, "keyUsage");
  }
  add_extension(certificate, NID_key_usage, usage.get(), true);
}

// GEN_DNS, GEN_EMAIL, GEN_URI: all are IA5String; GEN_IPADD: an octet string.
void set_name(GENERAL_NAME* name, int type, std::string_view text) {
  ASN1_STRING* string =
      made(ASN1_STRING_type_new(type == GEN_IPADD ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING));
  GENERAL_NAME_set0_value(name, type, string);
  must(ASN1_STRING_set(string, text.data(), static_cast<int>(text.size())) == 1, "name");
}

void add_subtree(STACK_OF(GENERAL_SUBTREE) * &subtrees, int type, std::string_view text) {
  if (subtrees == nullptr) {
    subtrees = made(sk_GENERAL_SUBTREE_new_null());
  }
  Owned<GENERAL_SUBTREE, GENERAL_SUBTREE_free> subtree(made(GENERAL_SUBTREE_new()));
  set_name(subtree->base, type, text);
  must(sk_GENERAL_SUBTREE_push(subtrees, subtree.get()) > 0, "nameConstraints");
  subtree.release();
}

// RFC 5280 §4.2.1.2, method 1. Only a name for the key: nothing rests on SHA-1 here.
void add_subject_key_id(X509* certificate) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  unsigned int size = 0;
  must(X509_pubkey_digest(certificate, EVP_sha1(), digest.data(), &size) == 1, "key id");
  const Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free> id(made(ASN1_OCTET_STRING_new()));
  must(ASN1_OCTET_STRING_set(id.get(), digest.data(), static_cast<int>(size)) == 1, "key id");
  add_extension(certificate, NID_subject_key_identifier, id.get(), false);
}

// By the key's id alone: the same key is certified twice, with two issuers and serial numbers.
void add_authority_key_id(X509* certificate, X509* issuer) {
  const Owned<AUTHORITY_KEYID, AUTHORITY_KEYID_free> id(made(AUTHORITY_KEYID_new()));
  const ASN1_OCTET_STRING* of_issuer = X509_get0_subject_key_id(issuer);
  must(of_issuer != nullptr, "the issuer has no key id");
  id->keyid = made(ASN1_OCTET_STRING_dup(of_issuer));
  add_extension(certificate, NID_authority_key_identifier, id.get(), false);
}

}  // namespace

std::string take_openssl_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "" : std::string(" (") + reason + ")";
}

PrivateKey new_private_key() {
  PrivateKey key(EVP_EC_gen("P-256"));
  must(key != nullptr, "no key");
  return key;
}

CertificateBuilder::CertificateBuilder(EVP_PKEY* key) : certificate_(made(X509_new())) {
  must(X509_set_version(certificate_.get(), X509_VERSION_3) == 1, "version");
  const Owned<BIGNUM, BN_free> serial(made(BN_new()));
  must(BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
           BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate_.get())) != nullptr,
       "serial number");
  must(X509_set_pubkey(certificate_.get(), key) == 1, "public key");
  add_subject_key_id(certificate_.get());
}

void CertificateBuilder::set_subject(const std::vector<NamePart>& parts) {
  X509_NAME* name = X509_get_subject_name(certificate_.get());
  for (const NamePart& part : parts) {
    must(X509_NAME_add_entry_by_NID(name, part.nid, MBSTRING_UTF8,
                                    reinterpret_cast<const unsigned char*>(part.text.data()),
                                    static_cast<int>(part.text.size()), -1, 0) == 1,
         "subject");
  }
}

void CertificateBuilder::set_subject_of(const X509* other) {
  must(X509_set_subject_name(certificate_.get(), X509_get_subject_name(other)) == 1, "subject");
}

void CertificateBuilder::set_validity(Time begin, Time end) {
  set_time(X509_getm_notBefore(certificate_.get()), begin);
  set_time(X509_getm_notAfter(certificate_.get()), end);
}

void CertificateBuilder::add_authority_use() {
  const Owned<BASIC_CONSTRAINTS, BASIC_CONSTRAINTS_free> constraints(made(BASIC_CONSTRAINTS_new()));
  constraints->ca = 0xFF;  // it is written as it is, and DER knows no other truth
  add_extension(certificate_.get(), NID_basic_constraints, constraints.get(), true);
  add_key_usage(certificate_.get(), {kKeyUsageCertSign, kKeyUsageCrlSign});
}

void CertificateBuilder::add_name_constraints(const std::vector<std::string>& names) {
  const Owned<NAME_CONSTRAINTS, NAME_CONSTRAINTS_free> constraints(made(NAME_CONSTRAINTS_new()));
  for (const std::string& name : names) {
    add_subtree(constraints->permittedSubtrees, GEN_DNS, name);
  }
  add_subtree(constraints->permittedSubtrees, GEN_EMAIL, kNoHost);
  add_subtree(constraints->permittedSubtrees, GEN_URI, kNoHost);
  for (const std::size_t size : {kAddressAndMaskV4, kAddressAndMaskV6}) {
    add_subtree(constraints->excludedSubtrees, GEN_IPADD, std::string(size, '\0'));
  }
  add_extension(certificate_.get(), NID_name_constraints, constraints.get(), true);
}

void CertificateBuilder::add_server_use(const std::string& host) {
  const Owned<EXTENDED_KEY_USAGE, EXTENDED_KEY_USAGE_free> uses(made(EXTENDED_KEY_USAGE_new()));
  must(sk_ASN1_OBJECT_push(uses.get(), OBJ_nid2obj(NID_server_auth)) > 0, "extendedKeyUsage");
  add_extension(certificate_.get(), NID_ext_key_usage, uses.get(), false);
  add_key_usage(certificate_.get(), {kKeyUsageDigitalSignature});
  const Owned<GENERAL_NAMES, GENERAL_NAMES_free> names(made(GENERAL_NAMES_new()));
  Owned<GENERAL_NAME, GENERAL_NAME_free> name(made(GENERAL_NAME_new()));
  set_name(name.get(), GEN_DNS, host);
  must(sk_GENERAL_NAME_push(names.get(), name.get()) > 0, "subjectAltName");
  name.release();
  add_extension(certificate_.get(), NID_subject_alt_name, names.get(), false);
}

Certificate CertificateBuilder::sign(X509* issuer, EVP_PKEY* issuer_key) && {
  const X509* names = issuer == nullptr ? certificate_.get() : issuer;
  must(X509_set_issuer_name(certificate_.get(), X509_get_subject_name(names)) == 1, "issuer");
  if (issuer != nullptr) {
    add_authority_key_id(certificate_.get(), issuer);
  }
  must(X509_sign(certificate_.get(), issuer_key, EVP_sha256()) > 0, "signature");
  return std::move(certificate_);
}

}  // namespace invlog::proxy

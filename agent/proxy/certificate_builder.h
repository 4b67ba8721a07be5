// Puts an X.509 certificate together: the fields of RFC 5280 that a certificate authority of ours
// and its leaves have, and no other. What each certificate is for decides the caller.
//
// Thread: any, one at a time. Ownership: owns the certificate until sign() gives it away; the key
// is only read. Errors: throws std::runtime_error (OpenSSL has no memory, no randomness, or takes a
// value that the caller should not have given).
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "agent/proxy/certificate_authority.h"

namespace invlog::proxy {

// A new P-256 key. Throws as above.
PrivateKey new_private_key();

// Why OpenSSL's last call failed, " (reason)" or ""; forgets it.
std::string take_openssl_reason();

// How far back a certificate begins, for clients whose clock is slow.
inline constexpr std::chrono::hours kClockTolerance{1};
inline constexpr std::size_t kLongestCommonName = 64;  // RFC 5280, ub-common-name

class CertificateBuilder {
 public:
  using Time = std::chrono::system_clock::time_point;

  struct NamePart {
    int nid;  // NID_commonName, ...
    std::string text;
  };

  // Certifies the holder of `key`; with a random serial number of 128 bits.
  explicit CertificateBuilder(EVP_PKEY* key);

  void set_subject(const std::vector<NamePart>& parts);
  void set_subject_of(const X509* other);
  void set_validity(Time begin, Time end);
  // basicConstraints and keyUsage. Without a limit to the authorities below it: those are its
  // successors, whose number nobody knows, and the name constraints hold for all of them.
  void add_authority_use();
  // Only these DNS names and those below them; no IP address, and e-mail addresses and URIs only of
  // a host that cannot be (RFC 2606 "invalid"), because a type of name that is not mentioned is
  // permitted.
  void add_name_constraints(const std::vector<std::string>& names);
  // extendedKeyUsage serverAuth, keyUsage, and the name.
  void add_server_use(const std::string& host);

  // `issuer`: null for a certificate that signs itself.
  Certificate sign(X509* issuer, EVP_PKEY* issuer_key) &&;

 private:
  Certificate certificate_;
};

}  // namespace invlog::proxy

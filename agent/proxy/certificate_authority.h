// The local certificate authority of proxy mode: one per state directory, name-constrained to the
// Bedrock runtime hosts of the pinned Region, so that a stolen key opens nothing else. `invlog ca`
// makes and rotates it; the agent issues a short-lived leaf for each intercepted name, in memory.
//
// Files in the state directory: ca.pem (what clients trust: this authority's certificate first,
// then those it replaced that have not expired), ca-key.pem (0600), ca-cross.pem (this authority's
// key certified by the one before it, then that one's by the one before, and so on, as far as they
// have not expired; absent if there was none; sent with the leaves, so that a program that still
// has an old ca.pem goes on).
//
// Thread: any, one at a time. Ownership: owns its keys. Errors: results, one clear line with the
// file and the cause; a private key's text is in none.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <chrono>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace invlog::proxy {

struct FreeOpenssl {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
using Certificate = std::unique_ptr<X509, FreeOpenssl>;
using PrivateKey = std::unique_ptr<EVP_PKEY, FreeOpenssl>;

// What a server presents for one name.
struct Leaf {
  Certificate certificate;
  PrivateKey key;
  std::vector<Certificate> chain;  // behind it, without the root
  std::chrono::system_clock::time_point valid_from;
  std::chrono::system_clock::time_point renew_at;  // at two thirds of its life
};

class CertificateAuthority {
 public:
  using Time = std::chrono::system_clock::time_point;
  static constexpr std::chrono::hours kLeafLife{7 * 24};
  static constexpr std::chrono::hours kAuthorityLife{5 * 365 * 24};

  // Whether there is one; what is wrong with it load() says.
  static bool exists(const std::string& state_dir);
  static std::string certificate_path(const std::string& state_dir);  // <state_dir>/ca.pem

  // The authority that signs: the key's, wherever in ca.pem its certificate stands, so that a
  // rotation that was cut off between two files leaves the old one in use. An error if it is not
  // valid at `now`.
  static tl::expected<CertificateAuthority, std::string> load(
      const std::string& state_dir, Time now = std::chrono::system_clock::now());
  // The same whatever the time, to show it or to replace it.
  static tl::expected<CertificateAuthority, std::string> read(const std::string& state_dir);

  // A leaf for a DNS name, valid from an hour before `now` to kLeafLife after it; an error if the
  // authority's own certificate does not permit the name or is not valid at `now`.
  tl::expected<Leaf, std::string> issue(const std::string& host, Time now) const;

  // ca-cross.pem of `successor`, which then is believed by whoever believes this authority, until
  // either expires. Throws std::runtime_error if OpenSSL fails.
  Certificate vouch_for(const X509* successor, Time now) const;

  const X509* certificate() const { return certificate_.get(); }
  // By the one before it; null if there is none.
  const X509* cross() const { return crosses_.empty() ? nullptr : crosses_.front().get(); }
  // ca-cross.pem's, from cross() on.
  const std::vector<Certificate>& crosses() const { return crosses_; }
  // Why it cannot be used at `now`; "" if it can.
  std::string validity_problem(Time now) const;

 private:
  CertificateAuthority(Certificate certificate, std::vector<Certificate> crosses, PrivateKey key)
      : certificate_(std::move(certificate)), crosses_(std::move(crosses)), key_(std::move(key)) {}

  Certificate certificate_;
  std::vector<Certificate> crosses_;
  PrivateKey key_;
};

}  // namespace invlog::proxy

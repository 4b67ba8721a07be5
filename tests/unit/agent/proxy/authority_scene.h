// A state directory with a certificate authority in it, and clients that verify what it issues as
// programs do.
#pragma once

#include <string>
#include <vector>

#include "agent/proxy/authority_files.h"
#include "tests/temporary_directory.h"

namespace invlog::tests {

using proxy::Certificate;
using proxy::CertificateAuthority;
using Time = CertificateAuthority::Time;

inline const std::string kBedrock = "bedrock-runtime.eu-central-1.amazonaws.com";
inline const std::string kVpcEndpoints = "bedrock-runtime.eu-central-1.vpce.amazonaws.com";
inline const Time kNow{std::chrono::hours(24 * 365 * 57)};  // in 2026

struct AuthorityScene {
  TemporaryDirectory directory;

  // The names that the next authority is for.
  std::vector<std::string> names = {kBedrock, kVpcEndpoints};

  proxy::AuthorityPurpose purpose() const { return {"eu-central-1", "build-7", names}; }
  void create(Time now = kNow);
  proxy::Overlap rotate(Time now = kNow);
  CertificateAuthority authority(Time now = kNow) const;
  std::string path(const std::string& name) const { return directory.path() + "/" + name; }
  std::string text(const std::string& name) const;
  // ca.pem, as a program keeps it that read it once.
  proxy::Certificates trusted() const;
  proxy::PrivateKey key() const;  // ca-key.pem, as whoever steals it has it
};

// "" if a client that believes `trusted` accepts the leaf for `host` at `time`, else OpenSSL's
// reason. `host` "": any.
std::string refusal(const proxy::Certificates& trusted, const proxy::Leaf& leaf,
                    const std::string& host, Time time);

// What a stolen key can sign: a server's certificate for names as openssl-x509v3_config(5) writes
// them, "DNS:example.com"; "" none, only a common name example.com.
proxy::Leaf forged(const AuthorityScene& scene, const std::string& names);

}  // namespace invlog::tests

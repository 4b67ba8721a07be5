#include "agent/proxy/certificate_authority.h"

#include <openssl/bn.h>
#include <openssl/x509v3.h>

#include "tests/contains.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::proxy;
using namespace invlog::tests;
using std::chrono::hours;

namespace {

constexpr const char* kUnknownIssuer = "unable to get local issuer certificate";
constexpr const char* kOutside = "permitted subtree violation";

Leaf issued(const CertificateAuthority& authority, const std::string& host, Time now = kNow) {
  auto leaf = authority.issue(host, now);
  if (!leaf)
    throw std::runtime_error(leaf.error());
  return std::move(*leaf);
}

std::string load_error(const AuthorityScene& scene, Time now = kNow) {
  const auto authority = CertificateAuthority::load(scene.directory.path(), now);
  return authority ? "(none)" : authority.error();
}

std::string issue_error(const CertificateAuthority& authority, const std::string& host) {
  const auto leaf = authority.issue(host, kNow);
  return leaf ? "(none)" : leaf.error();
}

bool is_critical(const X509* certificate, int nid) {
  const int at = X509_get_ext_by_NID(certificate, nid, -1);
  return at >= 0 && X509_EXTENSION_get_critical(X509_get_ext(certificate, at)) == 1;
}

}  // namespace

TEST_CASE("a leaf for a permitted name is accepted by who trusts the authority, and by nobody else",
          "[ca]") {
  AuthorityScene scene, stranger;
  CHECK_FALSE(CertificateAuthority::exists(scene.directory.path()));
  scene.create();
  stranger.create();
  CHECK(CertificateAuthority::exists(scene.directory.path()));
  const CertificateAuthority authority = scene.authority();
  const Leaf leaf = issued(authority, kBedrock);
  CHECK(leaf.chain.empty());
  CHECK(refusal(scene.trusted(), leaf, kBedrock, kNow) == "");
  CHECK(refusal(stranger.trusted(), leaf, kBedrock, kNow) == kUnknownIssuer);
  CHECK(refusal(scene.trusted(), leaf, "example.com", kNow) == "hostname mismatch");

  const std::string endpoint = "vpce-0123456789abcdef0-abcdefgh." + kVpcEndpoints;
  const Leaf long_one = issued(authority, endpoint);  // too long for a common name
  CHECK(endpoint.size() > 64);
  CHECK(refusal(scene.trusted(), long_one, endpoint, kNow) == "");
  CHECK(X509_NAME_entry_count(X509_get_subject_name(long_one.certificate.get())) == 1);
  CHECK(X509_check_private_key(long_one.certificate.get(), long_one.key.get()) == 1);
  CHECK(ASN1_INTEGER_cmp(X509_get0_serialNumber(long_one.certificate.get()),
                         X509_get0_serialNumber(leaf.certificate.get())) != 0);
}

TEST_CASE("a leaf lives a week, and never longer than its authority", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const CertificateAuthority authority = scene.authority();
  const Leaf leaf = issued(authority, kBedrock);
  const auto at = [&](Time time) { return refusal(scene.trusted(), leaf, kBedrock, time); };
  CHECK(at(kNow - hours(2)) == "certificate is not yet valid");
  CHECK(at(kNow - std::chrono::minutes(50)) == "");
  CHECK(at(kNow + hours(7 * 24 - 1)) == "");
  CHECK(at(kNow + hours(7 * 24 + 1)) == "certificate has expired");
  CHECK(leaf.renew_at == kNow + hours(7 * 24) * 2 / 3);

  const Time end = kNow + CertificateAuthority::kAuthorityLife;
  const Leaf last = issued(authority, kBedrock, end - hours(3));
  CHECK(expiry_of(last.certificate.get()) == end);
  CHECK(last.renew_at == end - hours(1));
  CHECK(contains(authority.issue(kBedrock, end).error(), "expired at 2031-"));
  CHECK(contains(load_error(scene, end), "ca.pem: the certificate authority expired at 2031-"));
  CHECK(contains(load_error(scene, kNow - hours(2)), "is this host's clock right?"));
  CHECK(contains(authority.issue(kBedrock, kNow - hours(2)).error(), "is not valid before"));
}

TEST_CASE("only permitted names are issued, and the error says what to do", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const CertificateAuthority authority = scene.authority();
  CHECK(issue_error(authority, "x." + kBedrock) == "(none)");
  for (const std::string& host :
       {std::string("example.com"), kBedrock + ".evil.test", "x" + kBedrock, kBedrock + ".",
        "." + kBedrock, "*." + kBedrock, std::string("amazonaws.com"), std::string(),
        std::string("127.0.0.1"), "a..b." + kBedrock, "a b." + kBedrock,
        std::string("x\0.", 3) + kBedrock, std::string(250, 'a') + "." + kBedrock}) {
    INFO(host);
    CHECK(contains(issue_error(authority, host), "does not permit"));
  }
  CHECK(issue_error(authority, "example.com") ==
        "the certificate authority does not permit example.com: it was made for " + kBedrock +
            ", " + kVpcEndpoints + "; `invlog ca rotate` makes one for what is configured now");
}

TEST_CASE("whatever a stolen key signs, clients refuse it for other names", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const auto refused = [&](const std::string& names) {
    return refusal(scene.trusted(), forged(scene, names), "", kNow + hours(1));
  };
  CHECK(refused("DNS:" + kBedrock) == "");  // so what is refused is so for its name
  CHECK(refused("DNS:example.com") == kOutside);
  CHECK(refused("DNS:" + kBedrock + ".evil.test") == kOutside);
  CHECK(refused("DNS:" + kBedrock + ",DNS:example.com") == kOutside);
  CHECK(refused("DNS:*.amazonaws.com") == kOutside);
  CHECK(refused("DNS:bedrock-runtime.us-east-1.amazonaws.com") == kOutside);
  CHECK(refused("email:root@example.com") == kOutside);
  CHECK(refused("URI:https://example.com/") == kOutside);
  CHECK(refused("IP:127.0.0.1") == "excluded subtree violation");
  CHECK(refused("IP:2001:db8::1") == "excluded subtree violation");
  CHECK(refused("") == kOutside);  // a common name that is a host name
}

TEST_CASE("the certificates are as RFC 5280 wants them", "[ca]") {
  AuthorityScene scene;
  scene.create();
  scene.rotate();
  const CertificateAuthority authority = scene.authority();
  for (const X509* certificate : {authority.certificate(), authority.cross()}) {
    REQUIRE(certificate != nullptr);
    for (const int nid : {NID_basic_constraints, NID_key_usage, NID_name_constraints}) {
      CHECK(is_critical(certificate, nid));
    }
    X509* asked = const_cast<X509*>(certificate);
    CHECK(X509_get_key_usage(asked) == (KU_KEY_CERT_SIGN | KU_CRL_SIGN));
    CHECK(X509_check_ca(asked) == 1);
    CHECK(X509_get_pathlen(asked) == -1);  // no limit
    CHECK(facts_of(certificate).permitted == scene.names);
    CHECK(facts_of(certificate).not_before == kNow - hours(1));
    CHECK(facts_of(certificate).subject.starts_with("invlog proxy CA, eu-central-1, build-7, "));
  }
  CHECK(X509_check_ca(const_cast<X509*>(authority.certificate())) == 1);
  const Leaf leaf = issued(authority, kBedrock);
  CHECK(X509_get_key_usage(leaf.certificate.get()) == KU_DIGITAL_SIGNATURE);
  CHECK(X509_get_extended_key_usage(leaf.certificate.get()) == XKU_SSL_SERVER);
  BIGNUM* serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(leaf.certificate.get()), nullptr);
  CHECK(BN_num_bits(serial) == 128);
  BN_free(serial);
}

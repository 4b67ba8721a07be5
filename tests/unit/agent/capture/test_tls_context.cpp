// What needs no server; handshakes are in tests/integration/test_upstream_tls.cpp.
#include "agent/capture/tls_context.h"

#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

namespace invlog::capture {
namespace {

std::string refusal(const std::string& bundle) {
  try {
    const TlsContext context(bundle);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("The system's roots are used if no bundle is given") {
  CHECK(refusal("").empty());
}

TEST_CASE("A bundle that cannot be used is refused in one line with its path") {
  const tests::TemporaryDirectory directory;
  const std::string missing = directory.path() + "/missing.pem";
  const std::string empty = directory.write("empty.pem", "");
  const std::string damaged = directory.write(
      "damaged.pem", "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n");
  for (const std::string& path : {missing, empty, damaged, directory.path()}) {
    INFO(path);
    const std::string text = refusal(path);
    CHECK(text.find("ca_bundle " + path + ": ") == 0);
    CHECK(text.size() > path.size() + 13);
    CHECK(text.find('\n') == std::string::npos);
  }
  CHECK(take_tls_error().empty());
}

TEST_CASE("A session verifies, asks for HTTP/1.1, and names its host unless that is an address") {
  const TlsContext context("");
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const TlsContext::Session named = context.open(ends[0], "bedrock.test");
  REQUIRE(named);
  CHECK(SSL_get_verify_mode(named.get()) == SSL_VERIFY_PEER);
  CHECK(SSL_get_min_proto_version(named.get()) == TLS1_2_VERSION);
  CHECK(std::string(SSL_get_servername(named.get(), TLSEXT_NAMETYPE_host_name)) == "bedrock.test");
  for (const char* address : {"127.0.0.1", "::1"}) {
    INFO(address);
    const TlsContext::Session numeric = context.open(ends[0], address);
    REQUIRE(numeric);
    CHECK(SSL_get_servername(numeric.get(), TLSEXT_NAMETYPE_host_name) == nullptr);
    char* checked = X509_VERIFY_PARAM_get1_ip_asc(SSL_get0_param(numeric.get()));
    REQUIRE(checked != nullptr);
    // OpenSSL writes IPv6 addresses out in full.
    CHECK(std::string(checked) ==
          (std::string(address) == "::1" ? "0:0:0:0:0:0:0:1" : "127.0.0.1"));
    OPENSSL_free(checked);
  }
  // No name would be checked.
  CHECK_FALSE(context.open(ends[0], ""));
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace invlog::capture

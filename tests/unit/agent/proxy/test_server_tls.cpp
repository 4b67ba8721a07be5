#include "agent/proxy/server_tls.h"

#include "tests/contains.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::proxy;
using namespace invlog::tests;
using std::chrono::hours;

namespace {

struct ServerTlsScene {
  AuthorityScene files;
  Time now = kNow;
  std::unique_ptr<ServerTls> tls;
  std::vector<invlog::capture::TlsContext::Session> sessions;  // so that addresses stay different

  ServerTlsScene() {
    files.create();
    tls = std::make_unique<ServerTls>(files.authority(), [this] { return now; });
  }
  // The certificate that a client is shown.
  const X509* shown(const std::string& host = kBedrock) {
    auto session = tls->open(host);
    if (!session)
      throw std::runtime_error(session.error());
    sessions.push_back(std::move(*session));
    return SSL_get_certificate(sessions.back().get());
  }
};

}  // namespace

TEST_CASE("a leaf is made once for a name and renewed before it expires", "[proxy]") {
  ServerTlsScene scene;
  const X509* first = scene.shown();
  CHECK(scene.shown() == first);
  CHECK(scene.shown("bedrock-runtime.eu-central-1.vpce.amazonaws.com") != first);
  scene.now += hours(4 * 24);
  CHECK(scene.shown() == first);
  scene.now += hours(24);  // past two thirds of its seven days
  const X509* second = scene.shown();
  CHECK(second != first);
  const std::time_t now = std::chrono::system_clock::to_time_t(scene.now);
  std::time_t at = now;
  CHECK(X509_cmp_time(X509_get0_notAfter(second), &at) > 0);
  CHECK(scene.shown() == second);
}

TEST_CASE("a leaf that was issued while the clock was ahead is renewed when it is set right",
          "[proxy]") {
  ServerTlsScene scene;
  scene.now += hours(2 * 24);
  const X509* ahead = scene.shown();
  scene.now -= std::chrono::minutes(50);  // within what is allowed for clocks that differ
  CHECK(scene.shown() == ahead);
  scene.now = kNow;
  const X509* right = scene.shown();
  CHECK(right != ahead);
  std::time_t at = std::chrono::system_clock::to_time_t(scene.now);
  CHECK(X509_cmp_time(X509_get0_notBefore(right), &at) < 0);
  CHECK(scene.shown() == right);
}

TEST_CASE("a new authority issues from then on", "[proxy]") {
  ServerTlsScene scene;
  const X509* first = scene.shown();
  scene.files.rotate();
  CHECK(scene.shown() == first);
  scene.tls->replace(scene.files.authority());
  const X509* second = scene.shown();
  CHECK(X509_NAME_cmp(X509_get_issuer_name(first), X509_get_issuer_name(second)) != 0);
  STACK_OF(X509)* chain = nullptr;
  SSL_get0_chain_certs(scene.sessions.back().get(), &chain);
  CHECK(sk_X509_num(chain) == 1);  // for those who trust the old one
}

TEST_CASE("a name that the authority does not permit is an error, now and later", "[proxy]") {
  ServerTlsScene scene;
  for (int times = 0; times < 2; ++times) {
    const auto session = scene.tls->open("example.com");
    REQUIRE_FALSE(session);
    CHECK(contains(session.error(), "example.com"));
  }
}

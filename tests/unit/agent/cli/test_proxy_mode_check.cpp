#include "agent/cli/proxy_mode_check.h"

#include <filesystem>
#include <sstream>

#include "agent/proxy/bedrock_hosts.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;
using namespace invlog::proxy;

namespace {

// A host in proxy mode, whose only root is somebody else's authority.
struct Host {
  AuthorityScene scene, system, other_system;
  invlog::config::AgentConfig configuration;
  std::string roots;
  Time now = kNow;
  AgentStatus agent;

  Host() {
    system.create();
    other_system.create();
    roots = system.path("ca.pem");
    configuration.region = "eu-central-1";
    configuration.state_dir = scene.directory.path();
    scene.names = BedrockHosts("eu-central-1", {}).permitted_names();
  }
  void init() const {
    REQUIRE(AuthorityFiles(scene.directory.path())
                .create(scene.purpose(), system.trusted(), kNow)
                .has_value());
  }
  std::string examine(const std::string& company_proxy = "") const {
    Diagnosis diagnosis;
    check_proxy_mode(configuration, agent,
                     environment_of({{"SSL_CERT_FILE", roots},
                                     {"SSL_CERT_DIR", "/nonexistent"},
                                     {"HTTPS_PROXY", company_proxy}}),
                     now, diagnosis);
    std::ostringstream out;
    diagnosis.print(out);
    return out.str();
  }
};

}  // namespace

TEST_CASE("doctor: proxy mode that is off is no failure", "[ca]") {
  const Host host;
  CHECK(host.examine() ==
        "-        proxy mode: off: no certificate authority (`invlog ca init` makes one)\n");
}

TEST_CASE("doctor: proxy mode in good order", "[ca]") {
  const Host host;
  host.init();
  const std::string told = host.examine();
  CHECK(contains(told, "-        proxy mode: on at 127.0.0.1:4181 when the agent runs\n"));
  CHECK(contains(told, "ok       certificate authority: valid until 2031-"));
  CHECK(contains(told, "ok       certificate bundle: " + host.scene.path("ca-bundle.pem") +
                           ", 2 certificates\n"));
  CHECK(!contains(told, "warning"));
}

TEST_CASE("doctor: a company's proxy with which the agent does not start", "[ca]") {
  const Host host;
  CHECK(!contains(host.examine("https://proxy.corp.example:8443"), "HTTPS_PROXY"));
  host.init();
  CHECK(contains(host.examine("https://proxy.corp.example:8443"),
                 "warning  proxy mode: HTTPS_PROXY: expected http://"));
  CHECK(!contains(host.examine("http://proxy.corp.example:3128"), "warning"));
}

TEST_CASE("doctor: an agent that was started before its authority was made", "[ca]") {
  Host host;
  host.init();
  host.agent.running = true;
  CHECK(contains(host.examine(),
                 "warning  proxy mode: the agent that runs does not listen in proxy mode: "));
  host.agent.proxy_listen = "127.0.0.1:4999";
  CHECK(contains(host.examine(), "-        proxy mode: on at 127.0.0.1:4999\n"));
  host.agent.proxy_listen.clear();
  host.configuration.proxy.listen_host.clear();
  CHECK(contains(host.examine(), "-        proxy mode: [proxy] listen is \"\""));
}

TEST_CASE("doctor: an authority that expires, or does not permit a configured name", "[ca]") {
  Host host;
  host.init();
  host.configuration.proxy.hosts = {"bedrock.corp.example"};
  host.now = kNow + CertificateAuthority::kAuthorityLife - std::chrono::hours(29 * 24);
  std::string told = host.examine();
  CHECK(contains(told, "warning  certificate authority: valid until 2031-"));
  CHECK(
      contains(told, "warning  certificate authority: it does not permit bedrock.corp.example\n"));
  host.now = kNow + CertificateAuthority::kAuthorityLife + std::chrono::hours(1);
  told = host.examine();
  CHECK(contains(told, "FAIL     certificate authority: the certificate authority expired at "));
}

TEST_CASE("doctor: a bundle that is not what the system trusts now", "[ca]") {
  Host host;
  host.init();
  host.roots = host.other_system.path("ca.pem");
  CHECK(contains(host.examine(),
                 "differs from what this system trusts now: 1 of its certificates are missing, 1 "
                 "are no longer trusted\n"));
  host.roots =
      host.scene.directory.write("company.pem", pem_of(forged(host.system, "").certificate.get()));
  CHECK(contains(host.examine(),
                 "-> sudo SSL_CERT_FILE=" + host.roots + " invlog ca bundle --update\n"));
  host.roots = "/nonexistent.pem";
  CHECK(contains(host.examine(), "FAIL     certificate bundle: SSL_CERT_FILE: /nonexistent.pem"));
  std::filesystem::remove(host.scene.path("ca-bundle.pem"));
  CHECK(contains(host.examine(), "FAIL     certificate bundle: "));
}

TEST_CASE("doctor: an authority without its key", "[ca]") {
  const Host host;
  host.init();
  std::filesystem::remove(host.scene.path("ca-key.pem"));
  CHECK(
      contains(host.examine(), "FAIL     certificate authority: " + host.scene.path("ca-key.pem")));
}

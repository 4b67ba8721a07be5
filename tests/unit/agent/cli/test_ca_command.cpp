#include "agent/cli/ca_command.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "agent/cli/proxy_mode_check.h"
#include "tests/contains.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;
using namespace invlog::proxy;

namespace {

// A state directory of eu-central-1, and a host whose only root is somebody else's authority.
struct Host {
  AuthorityScene scene, system;
  Time now = kNow;
  std::optional<std::string> region = "eu-central-1";
  std::string roots;

  Host() {
    system.create();
    roots = system.path("ca.pem");
  }
  std::string path(const std::string& name) const { return scene.path(name); }
  AuthorityAccess access() const {
    AuthorityAccess access;
    access.region = region;
    access.state_dir = scene.directory.path();
    access.default_config_file = scene.path("invlog.toml");
    access.environment =
        environment_of({{"SSL_CERT_FILE", roots}, {"SSL_CERT_DIR", "/nonexistent"}});
    access.now = [this] { return now; };
    return access;
  }
  CommandAnswer init() const { return told(run_ca_init, access()); }
  CommandAnswer init_by_relative_path() const {
    AuthorityAccess relative = access();
    relative.state_dir = std::filesystem::relative(scene.directory.path()).string();
    return told(run_ca_init, relative);
  }
  CommandAnswer rotate() const { return told(run_ca_rotate, access()); }
  CommandAnswer show(bool json = false, bool pem = false) const {
    return told(run_ca_show, CaShowOptions{access(), json, pem});
  }
  CommandAnswer bundle(const std::string& output = "", bool update = false) const {
    return told(run_ca_bundle, CaBundleOptions{access(), output, update});
  }

  template <typename Run, typename Options>
  static CommandAnswer told(const Run& run, const Options& options) {
    std::ostringstream out, err;
    const int exit_code = run(options, out, err);
    return {exit_code, out.str(), err.str()};
  }
};

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++count;
  return count;
}

}  // namespace

TEST_CASE("ca init prints paths as programs elsewhere need them", "[ca]") {
  const Host host;
  const std::string out = host.init_by_relative_path().out;
  CHECK(contains(out, "AWS_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE=" +
                          host.path("ca-bundle.pem") + "\n"));
  CHECK(contains(out, "NODE_EXTRA_CA_CERTS=" + host.path("ca.pem") +
                          " (the bundle for a program that has it set)\n"));
  CHECK_FALSE(contains(out, ".."));
}

TEST_CASE("ca init makes an authority for the Region's names, and says what to do next", "[ca]") {
  Host host;
  host.scene.directory.write("invlog.toml", "[proxy]\nhosts = [\"bedrock.corp.example\"]\n");
  const CommandAnswer told = host.init();
  CHECK(told.exit_code == 0);
  CHECK(told.err == "");
  for (const std::string& part :
       {host.path("ca.pem") + "\n", host.path("ca-bundle.pem") + ": with the system's 1 root",
        facts_of(host.scene.trusted()[0].get()).fingerprint, std::string(" to 2031-"), kBedrock,
        kVpcEndpoints, std::string("bedrock.corp.example"),
        std::string("listens on 127.0.0.1:4181 as a proxy"),
        std::string("HTTPS_PROXY=http://127.0.0.1:4181\n"), std::string("`invlog exec -- CMD`")}) {
    CHECK(contains(told.out, part));
  }
  CHECK_FALSE(contains(told.out, "us-east-1"));
  const auto leaf = host.scene.authority().issue("bedrock.corp.example", kNow);
  REQUIRE(leaf);
  CHECK(refusal(host.scene.trusted(), *leaf, "bedrock.corp.example", kNow) == "");

  const std::string before = host.scene.text("ca.pem");
  const CommandAnswer again = host.init();
  CHECK(again.exit_code == 1);
  CHECK(contains(again.err, "already: `invlog ca show` shows it, `invlog ca rotate` replaces it"));
  CHECK(host.scene.text("ca.pem") == before);
}

TEST_CASE("ca init needs a Region, and a configuration without errors", "[ca]") {
  Host host;
  host.region.reset();
  CHECK(host.init().exit_code == 2);
  CHECK(contains(host.init().err, "no Region"));
  host.scene.directory.write("invlog.toml", "[proxy]\nlistne = 1\n");
  CHECK(host.init().exit_code == 2);
  CHECK_FALSE(CertificateAuthority::exists(host.scene.directory.path()));
}

TEST_CASE("ca init makes nothing with which the agent would not start", "[ca]") {
  Host host;
  host.scene.directory.write("invlog.toml", "[admin]\nlisten = \"127.0.0.1:4181\"\n");
  const CommandAnswer refused = host.init();
  CHECK(refused.exit_code == 2);
  CHECK(refused.out.empty());
  CHECK(contains(refused.err,
                 "invlog ca: the agent would not start any more: proxy mode listens on "
                 "\"127.0.0.1:4181\", and so do metrics and health (listen below [admin])"));
  CHECK_FALSE(std::filesystem::exists(host.path("ca.pem")));
  host.scene.directory.write("invlog.toml", "[agent]\nupstream = \"http://127.0.0.1:4181\"\n");
  CHECK(host.init().exit_code == 2);
  CHECK(contains(host.init().err, "\"http://127.0.0.1:4181\" is this agent itself"));
  host.scene.directory.write("invlog.toml", "[admin]\nlisten = \"127.0.0.1:4182\"\n");
  CHECK(host.init().exit_code == 0);
}

TEST_CASE("ca rotate says until when both are trusted, and what only the new one permits", "[ca]") {
  Host host;
  CHECK(host.rotate().exit_code == 1);
  CHECK(contains(host.rotate().err, "there is no certificate authority in "));
  REQUIRE(host.init().exit_code == 0);
  const std::string end = readable_time(expiry_of(host.scene.trusted()[0].get()));
  host.now += std::chrono::hours(24 * 365);
  CommandAnswer told = host.rotate();
  CHECK(told.exit_code == 0);
  CHECK(contains(told.out, "Both are trusted until " + end));
  CHECK_FALSE(contains(told.out, "Only with the new files"));
  CHECK(host.scene.trusted().size() == 2);

  host.scene.directory.write("invlog.toml", "[proxy]\nhosts = [\"bedrock.corp.example\"]\n");
  told = host.rotate();
  CHECK(contains(told.out, "Only with the new files they may call bedrock.corp.example, "));
  CHECK(certificates_in(host.path("ca-bundle.pem"))->size() == 4);  // three, and the system's
  host.now += CertificateAuthority::kAuthorityLife * 2;
  CHECK(contains(host.rotate().out, "has expired: programs need the new files, at once"));
}

TEST_CASE("ca show tells each certificate's state, and what keeps the agent from using it",
          "[ca]") {
  Host host;
  CHECK(host.show().exit_code == 1);
  CHECK(contains(host.show().err, "`invlog ca init` makes one"));
  REQUIRE(host.init().exit_code == 0);
  REQUIRE(host.rotate().exit_code == 0);
  host.region.reset();  // which nobody need say
  CommandAnswer told = host.show();
  CHECK(told.exit_code == 0);
  CHECK(contains(told.out, "state           in use\n"));
  CHECK(contains(told.out, "state           trusted\n"));
  CHECK(contains(told.out, "vouched for by"));
  CHECK(contains(told.out, facts_of(host.scene.trusted()[1].get()).fingerprint));
  CHECK_FALSE(contains(told.out, "PRIVATE"));

  const std::string json = host.show(true).out;
  CHECK(count_of(json, "\"state\":\"in use\"") == 1);
  CHECK(contains(json, "\"permits\":[\"" + kBedrock + "\""));
  CHECK(contains(json, "\"problem\":\"\""));
  CHECK(json.find('\n') == json.size() - 1);
  CHECK(host.show(false, true).out == host.scene.text("ca.pem"));

  host.now += CertificateAuthority::kAuthorityLife;
  told = host.show();
  CHECK(told.exit_code == 1);
  CHECK(count_of(told.out, "state           expired\n") == 2);
  CHECK(contains(told.err, "expired at 2031-"));
  host.now = kNow;
  ::chmod(host.path("ca-key.pem").c_str(), 0644);
  CHECK(host.show().exit_code == 1);
  CHECK(contains(host.show().err, "chmod 600"));
}

TEST_CASE("ca show names what a rotation that was cut off has left", "[ca]") {
  Host host;
  REQUIRE(host.init().exit_code == 0);
  const std::string key = host.scene.text("ca-key.pem");
  REQUIRE(host.rotate().exit_code == 0);
  host.scene.directory.write("ca-key.pem", key);
  const CommandAnswer told = host.show();
  CHECK(told.exit_code == 0);
  CHECK(contains(told.out, "state           never used: a rotation was cut off; repeat it\n"));
  CHECK(contains(host.show(true).out, "\"state\":\"never used\""));
}

TEST_CASE("ca bundle gives the system's roots and ours, to the output or a file", "[ca]") {
  Host host;
  CHECK(contains(host.bundle().err, "`invlog ca init` makes one"));
  REQUIRE(host.init().exit_code == 0);
  const std::string both = host.scene.text("ca.pem") + host.system.text("ca.pem");
  CHECK(host.bundle().out == both);
  CHECK(host.bundle(host.path("out.pem")).out == "");
  CHECK(host.scene.text("out.pem") == both);
  struct stat about {};
  CHECK(::stat(host.path("out.pem").c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0644);

  host.system.rotate();
  CHECK(host.scene.text("ca-bundle.pem") == both);
  CHECK(host.bundle("", true).exit_code == 0);
  CHECK(host.scene.text("ca-bundle.pem") == host.bundle().out);
  CHECK(host.bundle().out != both);

  for (const std::string& roots : {std::string("/nonexistent.pem"), host.path("ca-key.pem")}) {
    host.roots = roots;
    const std::string told = "invlog ca: SSL_CERT_FILE: " + roots;
    CHECK(contains(host.bundle().err, told));
    CHECK(contains(host.bundle("", true).err, told));
    CHECK(contains(host.rotate().err, told));
    CHECK(host.rotate().exit_code == 1);
    CHECK(host.bundle().out == "");
  }
  CHECK(host.scene.trusted().size() == 1);
}

TEST_CASE("a company's root that was taken in stays, and doctor asks for nothing", "[ca]") {
  Host host;
  host.roots.clear();
  REQUIRE(host.init().exit_code == 0);
  const std::string company = pem_of(forged(host.system, "").certificate.get());
  host.roots = host.scene.directory.write("company.pem", company);
  const CommandAnswer told = host.bundle("", true);
  CHECK(told.exit_code == 0);
  CHECK(told.out == "Kept 1 certificate of SSL_CERT_FILE, which the system does not have, in " +
                        host.path("ca-extra.pem") + ".\n");
  CHECK(host.bundle("", true).out == "");
  host.roots.clear();
  for (int time = 0; time < 2; ++time) {
    CHECK(contains(host.scene.text("ca-bundle.pem"), company));
    CHECK(contains(host.bundle().out, company));
    CHECK((time == 0 ? host.bundle("", true) : host.rotate()).exit_code == 0);
  }
  CHECK(contains(host.scene.text("ca-bundle.pem"), company));
  Diagnosis diagnosis;
  invlog::config::AgentConfig configuration;
  configuration.region = "eu-central-1";
  configuration.state_dir = host.scene.directory.path();
  check_proxy_mode(configuration, {}, host.access().environment, kNow, diagnosis);
  std::ostringstream findings;
  diagnosis.print(findings);
  CHECK(contains(findings.str(), "ok       certificate bundle: "));

  // As at the start of proxy mode, too.
  Host other;
  other.roots = host.path("company.pem");
  REQUIRE(other.init().exit_code == 0);
  other.roots.clear();
  REQUIRE(other.rotate().exit_code == 0);
  CHECK(contains(other.scene.text("ca-bundle.pem"), company));
}

#include "agent/proxy/authority_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>

#include "agent/proxy/system_roots.h"
#include "tests/contains.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::proxy;
using namespace invlog::tests;
using std::chrono::hours;

namespace {

constexpr hours kYear{365 * 24};

Leaf leaf_of(const AuthorityScene& scene, Time now = kNow) {
  auto leaf = scene.authority(now).issue(kBedrock, now);
  if (!leaf)
    throw std::runtime_error(leaf.error());
  return std::move(*leaf);
}

std::string read_error(const AuthorityScene& scene) {
  const auto authority = CertificateAuthority::load(scene.directory.path(), kNow);
  return authority ? "(none)" : authority.error();
}

std::string create_error(const AuthorityScene& scene, const std::string& directory) {
  const auto created = AuthorityFiles(directory).create(scene.purpose(), {}, kNow);
  return created ? "(none)" : created.error();
}

struct stat about(const std::string& path) {
  struct stat about {};
  ::stat(path.c_str(), &about);
  return about;
}

unsigned int mode_of(const std::string& path) {
  return about(path).st_mode & 07777;
}

// Dies after so many files have been put in place, as a process that is killed does.
RenameFile dying_after(int files) {
  return [left = files](const std::string& from, const std::string& to) mutable {
    if (left-- == 0)
      throw std::runtime_error("killed before " + to);
    rename_file(from, to);
  };
}

}  // namespace

TEST_CASE("who has only the old ca.pem, or only the new one, goes on after a rotation", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const Certificates old_trust = scene.trusted();
  const Leaf old_leaf = leaf_of(scene);
  const Overlap overlap = scene.rotate(kNow + kYear);
  CHECK(overlap.until == kNow + CertificateAuthority::kAuthorityLife);
  CHECK(overlap.new_names.empty());

  Certificates new_trust = scene.trusted();
  REQUIRE(new_trust.size() == 2);
  CHECK(der_of(new_trust[1].get()) == der_of(old_trust[0].get()));
  const Leaf leaf = leaf_of(scene, kNow + kYear);
  CHECK(leaf.chain.size() == 1);
  CHECK(refusal(new_trust, leaf, kBedrock, kNow + kYear) == "");
  CHECK(refusal(old_trust, leaf, kBedrock, kNow + kYear) == "");
  CHECK(refusal(new_trust, old_leaf, kBedrock, kNow) == "");
  new_trust.pop_back();  // the new one alone
  CHECK(refusal(new_trust, leaf, kBedrock, kNow + kYear) == "");
  CHECK(refusal(new_trust, old_leaf, kBedrock, kNow) != "");

  // Once the old one has expired, it is neither sent nor kept.
  const Time late = kNow + CertificateAuthority::kAuthorityLife;
  const Leaf late_leaf = leaf_of(scene, late);
  CHECK(late_leaf.chain.empty());
  CHECK(refusal(old_trust, late_leaf, kBedrock, late) != "");
  CHECK(refusal(new_trust, late_leaf, kBedrock, late) == "");
  scene.rotate(late);
  CHECK(scene.trusted().size() == 2);
}

TEST_CASE("who has any ca.pem goes on until that expires, however many rotations come", "[ca]") {
  AuthorityScene scene;
  scene.create();
  std::vector<Certificates> trusts;
  trusts.push_back(scene.trusted());
  constexpr int kRotations = 8;
  for (int year = 1; year <= kRotations; ++year) {
    const Time now = kNow + year * kYear;
    scene.rotate(now);
    trusts.push_back(scene.trusted());
    const Leaf leaf = leaf_of(scene, now);
    for (int made = 0; made <= year; ++made) {
      INFO("that of year " << made << " in year " << year);
      const bool expired = now >= kNow + made * kYear + CertificateAuthority::kAuthorityLife;
      Certificates only;
      only.push_back(std::move(trusts[made].front()));
      CHECK((refusal(only, leaf, kBedrock, now) == "") == !expired);
      trusts[made].front() = std::move(only.front());
    }
    CHECK(leaf.chain.size() == static_cast<std::size_t>(std::min(year, 4)));
  }
}

TEST_CASE("an authority that has expired can be rotated, with nothing to vouch for it", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const Time late = kNow + CertificateAuthority::kAuthorityLife + hours(1);
  CHECK(scene.rotate(late).until < late);
  CHECK(scene.trusted().size() == 1);
  CHECK(leaf_of(scene, late).chain.empty());
}

TEST_CASE("a rotation can add names, which the old authority's programs do not believe", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const Certificates old_trust = scene.trusted();
  scene.names.push_back("bedrock.internal.example");
  CHECK(scene.rotate().new_names == std::vector<std::string>{"bedrock.internal.example"});
  auto leaf = scene.authority().issue("bedrock.internal.example", kNow);
  REQUIRE(leaf);
  CHECK(refusal(scene.trusted(), *leaf, "bedrock.internal.example", kNow) == "");
  CHECK(refusal(old_trust, *leaf, "bedrock.internal.example", kNow) ==
        "permitted subtree violation");
  CHECK(refusal(old_trust, leaf_of(scene), kBedrock, kNow) == "");
}

TEST_CASE("a rotation that dies between two files leaves an authority that all trust", "[ca]") {
  for (int files = 0; files < 5; ++files) {
    INFO(files);
    AuthorityScene scene;
    scene.create();
    const Certificates first_trust = scene.trusted();
    scene.rotate();
    const Certificates second_trust = scene.trusted();
    const auto rotated = AuthorityFiles(scene.directory.path(), dying_after(files))
                             .rotate(scene.purpose(), {}, kNow);
    CHECK(rotated.has_value() == (files == 4));
    const Leaf leaf = leaf_of(scene);
    CHECK(refusal(second_trust, leaf, kBedrock, kNow) == "");
    CHECK(refusal(scene.trusted(), leaf, kBedrock, kNow) == "");
    CHECK(refusal(*certificates_in(scene.path("ca-bundle.pem")), leaf, kBedrock, kNow) == "");
    CHECK(mode_of(scene.path("ca-key.pem")) == 0600);
    CHECK(refusal(first_trust, leaf, kBedrock, kNow) == "");

    // The next one repairs it: what never came to be used is trusted no longer.
    const std::string in_use = der_of(scene.authority().certificate());
    scene.rotate();
    CHECK(scene.trusted().size() == (rotated ? 4 : 3));
    CHECK(der_of(scene.trusted()[1].get()) == in_use);
    CHECK(refusal(second_trust, leaf_of(scene), kBedrock, kNow) == "");
    CHECK(refusal(first_trust, leaf_of(scene), kBedrock, kNow) == "");
    CHECK(::access(scene.path("ca-key.pem.new").c_str(), F_OK) != 0);
  }
}

TEST_CASE("a making that dies between two files can be done again", "[ca]") {
  for (int files = 0; files < 3; ++files) {
    INFO(files);
    AuthorityScene scene;
    CHECK_FALSE(AuthorityFiles(scene.directory.path(), dying_after(files))
                    .create(scene.purpose(), {}, kNow));
    CHECK_FALSE(CertificateAuthority::exists(scene.directory.path()));
    scene.create();
    CHECK(refusal(scene.trusted(), leaf_of(scene), kBedrock, kNow) == "");
  }
}

TEST_CASE("the key is the owner's alone whatever the umask, the rest is everybody's", "[ca]") {
  for (const mode_t mask : {0000, 0077}) {
    AuthorityScene scene;
    const mode_t before = ::umask(mask);
    unsigned int mode_at_rename = 0;
    const auto created =
        AuthorityFiles(scene.directory.path(), [&](const std::string& from, const std::string& to) {
          if (to.ends_with("ca-key.pem"))
            mode_at_rename = mode_of(from);
          rename_file(from, to);
        }).create(scene.purpose(), {}, kNow);
    scene.rotate();
    ::umask(before);
    CHECK(created);
    CHECK(mode_at_rename == 0600);
    CHECK(mode_of(scene.path("ca-key.pem")) == 0600);
    for (const char* name : {"ca.pem", "ca-cross.pem", "ca-bundle.pem"}) {
      CHECK(mode_of(scene.path(name)) == 0644);
    }
  }
}

TEST_CASE("what root writes belongs to the state directory's owner", "[ca]") {
  if (::geteuid() != 0) {
    WARN("only root can try this");
    return;
  }
  AuthorityScene scene;
  REQUIRE(::chown(scene.directory.path().c_str(), 4711, 4712) == 0);
  scene.create();
  scene.rotate();
  for (const char* name : {"ca-key.pem", "ca.pem", "ca-cross.pem", "ca-bundle.pem"}) {
    INFO(name);
    CHECK(about(scene.path(name)).st_uid == 4711);
    CHECK(about(scene.path(name)).st_gid == 4712);
  }
  ::chmod(scene.directory.path().c_str(), 0755);
  REQUIRE(::seteuid(4713) == 0);  // neither root nor the owner
  const std::string error = create_error(scene, scene.directory.path());
  REQUIRE(::seteuid(0) == 0);
  CHECK(contains(error,
                 "is run by user 4711 and could not read a key of this user's: run the "
                 "command as root or as user 4711"));
}

// As in Kubernetes, where a volume is root's and open to the group `fsGroup`.
TEST_CASE("in a directory of root's, what is written belongs to the agent's user", "[ca]") {
  if (::geteuid() != 0) {
    WARN("only root can try this");
    return;
  }
  const auto as_user = [](const AuthorityScene& scene, const auto& call) {
    REQUIRE(::setegid(4712) == 0);
    REQUIRE(::seteuid(4711) == 0);
    const std::string error = call(scene);
    REQUIRE(::seteuid(0) == 0);
    REQUIRE(::setegid(0) == 0);
    return error;
  };
  const auto create = [](const AuthorityScene& scene) {
    return create_error(scene, scene.directory.path());
  };
  AuthorityScene scene, of_root, used;
  for (const AuthorityScene* each : {&scene, &of_root, &used}) {
    REQUIRE(::chown(each->directory.path().c_str(), 0, 4712) == 0);
    REQUIRE(::chmod(each->directory.path().c_str(), 02775) == 0);
  }
  CHECK(as_user(scene, create) == "(none)");
  CHECK(about(scene.path("ca-key.pem")).st_uid == 4711);
  CHECK(as_user(scene, [](const AuthorityScene& one) { return read_error(one); }) == "(none)");

  of_root.directory.write("agent.lock", "");
  CHECK(as_user(of_root, create)
            .ends_with("is run by root and could not read a key of this user's: run the command as "
                       "root"));

  used.directory.write("agent.lock", "");
  REQUIRE(::chown(used.path("agent.lock").c_str(), 4711, 4712) == 0);
  used.create();
  CHECK(about(used.path("ca-key.pem")).st_uid == 4711);
  CHECK(about(used.path("ca-key.pem")).st_gid == 4712);
  CHECK(mode_of(used.path("ca-key.pem")) == 0600);
}

TEST_CASE("what is missing, damaged, foreign or open to others is told", "[ca]") {
  AuthorityScene scene, other;
  CHECK(read_error(scene) == "there is no certificate authority in " + scene.directory.path() +
                                 ": `invlog ca init` makes one");
  CHECK(contains(AuthorityFiles(scene.path("none")).rotate(scene.purpose(), {}, kNow).error(),
                 "there is no certificate authority"));
  scene.create();
  other.create();
  CHECK(contains(create_error(scene, scene.directory.path()), "already: `invlog ca show`"));
  CHECK(read_error(scene) == "(none)");

  const std::string certificate = scene.text("ca.pem"), key = scene.text("ca-key.pem");
  scene.directory.write("ca.pem", certificate.substr(0, 200));
  CHECK(contains(read_error(scene), "ca.pem is damaged: "));
  scene.directory.write("ca.pem", "");
  CHECK(contains(read_error(scene), "ca.pem is damaged: there is no certificate in it; put it"));
  scene.directory.write("ca.pem", certificate);

  scene.directory.write("ca-key.pem", other.text("ca-key.pem"));
  CHECK(contains(read_error(scene), "ca-key.pem is not the key of a certificate in "));
  scene.directory.write("ca-key.pem", key.substr(0, 100));
  CHECK(contains(read_error(scene), "ca-key.pem is damaged"));
  CHECK_FALSE(contains(read_error(scene), key.substr(30, 20)));
  scene.directory.write("ca-key.pem", key);
  for (const mode_t mode : {0640, 0604, 0620}) {
    ::chmod(scene.path("ca-key.pem").c_str(), mode);
    CHECK(contains(read_error(scene), "can be read by others than its owner: chmod 600 "));
  }
  ::unlink(scene.path("ca-key.pem").c_str());
  CHECK(contains(read_error(scene), "ca-key.pem cannot be read: No such file or directory; put"));
  ::mkdir(scene.path("ca-key.pem").c_str(), 0700);
  CHECK(contains(read_error(scene), "ca-key.pem cannot be read: it is no file"));
}

TEST_CASE("one writes at a time", "[ca]") {
  AuthorityScene scene;
  scene.create();
  const DirectoryLock lock(scene.directory.path());
  CHECK(contains(AuthorityFiles(scene.directory.path()).rotate(scene.purpose(), {}, kNow).error(),
                 "another `invlog ca` is writing there"));
}

TEST_CASE("the bundle has the system's roots and every authority that is trusted", "[ca]") {
  AuthorityScene scene, system, more;
  system.create();
  more.create();
  ::rename(more.path("ca.pem").c_str(), more.path("01234567.0").c_str());
  ::unlink(more.path("ca-bundle.pem").c_str());
  const std::string damaged =
      "text\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  system.directory.write("roots.pem", damaged + system.text("ca.pem") + system.text("ca.pem"));
  const auto environment =
      environment_of({{"SSL_CERT_FILE", system.path("roots.pem")},
                      {"SSL_CERT_DIR", "/nonexistent:" + more.directory.path()}});
  const auto found = system_roots(environment, scene.directory.path());
  REQUIRE(found);
  const SystemRoots& roots = *found;
  CHECK(roots.added.empty());  // copies of invlog's own
  CHECK(roots.places ==
        std::vector<std::string>{system.path("roots.pem"), "/nonexistent", more.directory.path()});
  REQUIRE(roots.certificates.size() == 2);

  AuthorityFiles files(scene.directory.path());
  REQUIRE(files.create(scene.purpose(), roots.certificates, kNow));
  CHECK(certificates_in(scene.path("ca-bundle.pem"))->size() == 3);
  REQUIRE(files.rotate(scene.purpose(), roots.certificates, kNow));
  CHECK(scene.text("ca-bundle.pem") ==
        scene.text("ca.pem") + system.text("ca.pem") + more.text("01234567.0"));
  REQUIRE(files.update_bundle({}));
  CHECK(scene.text("ca-bundle.pem") == scene.text("ca.pem"));

  // A program that was given the bundle does not find it among the system's.
  const auto inside = environment_of(
      {{"SSL_CERT_FILE", scene.path("ca-bundle.pem")}, {"SSL_CERT_DIR", "/nonexistent"}});
  CHECK(system_roots(inside, scene.directory.path())->places.front() !=
        scene.path("ca-bundle.pem"));
}

TEST_CASE("what somebody added to the system's roots is among them from then on", "[ca]") {
  AuthorityScene scene, company;
  company.create();
  scene.create();
  const std::string first =
      company.directory.write("first.pem", pem_of(forged(company, "").certificate.get()));
  const std::string second = company.directory.write(
      "second.pem", pem_of(forged(company, "DNS:b").certificate.get()) + company.text("ca.pem"));
  const auto roots = [&](const std::string& file) {
    return system_roots(environment_of({{"SSL_CERT_FILE", file}, {"SSL_CERT_DIR", "/nonexistent"}}),
                        scene.directory.path());
  };
  AuthorityFiles files(scene.directory.path());
  REQUIRE(roots(first)->added.size() == 1);
  REQUIRE(files.keep(roots(first)->added));
  CHECK(scene.text("ca-extra.pem") == company.text("first.pem"));
  CHECK(mode_of(scene.path("ca-extra.pem")) == 0644);
  CHECK(roots(first)->added.empty());
  REQUIRE(roots(second)->added.size() == 1);  // not the authority of invlog's
  CHECK(roots(second)->certificates.size() == 3);
  REQUIRE(files.keep(roots(second)->added));
  CHECK(certificates_in(scene.path("ca-extra.pem"))->size() == 2);
  CHECK(pem_of(roots("")->certificates).ends_with(scene.text("ca-extra.pem")));

  scene.directory.write("ca-extra.pem", "nonsense");
  CHECK(contains(roots(first).error(),
                 "ca-extra.pem is damaged: there is no certificate in it; "
                 "put it right, or remove it"));
  CHECK_FALSE(files.keep(company.trusted()));
  CHECK(scene.text("ca-extra.pem") == "nonsense");
}

TEST_CASE("a file of roots that somebody named and that is of no use is told", "[ca]") {
  const AuthorityScene scene;
  const auto error = [&](const std::string& file) {
    const auto roots =
        system_roots(environment_of({{"SSL_CERT_FILE", file}}), scene.directory.path());
    return roots ? "(none)" : roots.error();
  };
  CHECK(error("/nonexistent.pem") ==
        "SSL_CERT_FILE: /nonexistent.pem cannot be read: No such file or directory");
  const std::string junk = scene.directory.write("junk.pem", "junk\n");
  CHECK(error(junk) == "SSL_CERT_FILE: " + junk + " is damaged: there is no certificate in it");
  CHECK(error("") == "(none)");
}

#include "exporters/aws/systemd_credentials.h"

#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

struct Unit {
  TemporaryDirectory directory;
  CredentialScene scene;

  SystemdCredentials provider(const std::string& profile = "", Variables variables = {}) {
    variables["CREDENTIALS_DIRECTORY"] = directory.path();
    ChainOptions options = scene.options(std::move(variables));
    options.profile = profile;
    return SystemdCredentials(options);
  }
};

}  // namespace

TEST_CASE("without a credentials directory, or without files in it, there is nothing") {
  CredentialScene scene;
  SystemdCredentials none(scene.options());
  CHECK(error_of(none.provide()) == "nothing");
  CHECK(none.why_nothing() == "CREDENTIALS_DIRECTORY is not set");
  Unit unit;
  unit.directory.write("something-else", "x");
  auto empty = unit.provider();
  CHECK(error_of(empty.provide()) == "nothing");
  CHECK(contains(empty.why_nothing(), unit.directory.path()));
}

TEST_CASE("systemd hands over keys one a file, read at each use") {
  Unit unit;
  unit.directory.write("aws-access-key-id", "AKID\n");
  unit.directory.write("aws-secret-access-key", "hush/+=hush\r\n");
  auto provider = unit.provider();
  auto result = provider.provide();
  REQUIRE(key_of(result) == "AKID");
  CHECK((*result)->secret_access_key == "hush/+=hush");
  CHECK((*result)->session_token == "");
  CHECK(!(*result)->expiration);
  CHECK((*result)->source == "systemd credentials in " + unit.directory.path());
  unit.directory.write("aws-session-token", "T");
  unit.directory.write("aws-access-key-id", "ASIA");
  result = provider.provide();
  REQUIRE(key_of(result) == "ASIA");
  CHECK((*result)->session_token == "T");
}

TEST_CASE("systemd hands over a whole file of profiles, which goes before single values") {
  Unit unit;
  unit.directory.write("aws-access-key-id", "SINGLE");
  unit.directory.write("aws-secret-access-key", "hushhush");
  const std::string file = unit.directory.write(
      "aws-credentials",
      "[default]\naws_access_key_id=A1\naws_secret_access_key=S\n[dev]\naws_access_key_id=A2\n"
      "aws_secret_access_key=S\n");
  const auto result = unit.provider().provide();
  REQUIRE(key_of(result) == "A1");
  CHECK((*result)->source == "profile default in " + file);
  CHECK(key_of(unit.provider("dev").provide()) == "A2");
  CHECK(key_of(unit.provider("", {{"AWS_PROFILE", "dev"}}).provide()) == "A2");
  // A profile that only the home directory has is the next link's; single values are nobody's.
  CHECK(error_of(unit.provider("other").provide()) == "nothing");
}

TEST_CASE("a profile of the whole file is looked at again after a second or a refusal") {
  Unit unit;
  const auto write = [&](const std::string& key) {
    unit.directory.write("aws-credentials",
                         "[default]\naws_access_key_id=" + key + "\naws_secret_access_key=S\n");
  };
  write("A1");
  auto provider = unit.provider();
  CHECK(key_of(provider.provide()) == "A1");
  write("A22");
  CHECK(key_of(provider.provide()) == "A1");
  provider.forget();
  CHECK(key_of(provider.provide()) == "A22");
  write("A333");
  unit.scene.pass(1s);
  CHECK(key_of(provider.provide()) == "A333");
}

TEST_CASE("half a pair, or a file that is no value, is an error without its content") {
  const auto error = [](const std::string& file, const std::string& content,
                        const std::string& also = "") {
    Unit unit;
    unit.directory.write(file, content);
    if (!also.empty()) {
      unit.directory.write(also, "hushhush");
    }
    const std::string text = error_of(unit.provider().provide());
    CHECK(text.starts_with("systemd credentials: "));
    CHECK(contains(text, unit.directory.path()));
    CHECK(!contains(text, "hushhush"));
    return text;
  };
  CHECK(contains(error("aws-access-key-id", "hushhush"),
                 "has aws-access-key-id, but no aws-secret-access-key"));
  CHECK(contains(error("aws-secret-access-key", "hushhush"),
                 "has aws-secret-access-key, but no aws-access-key-id"));
  CHECK(contains(error("aws-access-key-id", "", "aws-secret-access-key"), "the file is empty"));
  CHECK(contains(error("aws-secret-access-key", "hushhush\nhushhush", "aws-access-key-id"),
                 "one line of printable ASCII"));
  Unit unit;
  std::filesystem::create_directory(unit.directory.path() + "/aws-access-key-id");
  CHECK(contains(error_of(unit.provider().provide()), "cannot read "));
  Unit damaged;
  damaged.directory.write("aws-credentials", "[default]\nhushhush\n");
  CHECK(error_of(damaged.provider().provide()) ==
        damaged.directory.path() + "/aws-credentials:2: expected key = value");
}

#include "exporters/aws/profile_credentials.h"

#include <sys/resource.h>

#include <filesystem>
#include <string>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;

namespace {

struct Profiles {
  CredentialScene scene;
  ChainOptions options;
  ProfileCredentials provider;

  explicit Profiles(const Variables& variables)
      : options(scene.options(variables)),
        provider(options, profile_paths(options.environment),
                 ProfileCredentials::Absence::error_if_named) {}
};

Variables variables_of(const TemporaryDirectory& home, const std::string& profile) {
  Variables variables{{"HOME", home.path()}};
  if (!profile.empty()) {
    variables["AWS_PROFILE"] = profile;
  }
  return variables;
}

ProvideResult from_profile(const TemporaryDirectory& home, const std::string& profile = "") {
  return Profiles(variables_of(home, profile)).provider.provide();
}

}  // namespace

TEST_CASE("the default profile of the credentials file is taken unless another is named") {
  TemporaryDirectory home;
  const std::string path =
      home.write(".aws/credentials",
                 "# mine\n[default]\naws_access_key_id = A1\n"
                 "aws_secret_access_key = s=1/+== ; not part of it\n\n[dev]\r\n"
                 "AWS_ACCESS_KEY_ID=A2\r\naws_secret_access_key=S2\r\n"
                 "aws_session_token = T2\r\n");
  auto result = from_profile(home);
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "A1");
  CHECK((*result)->secret_access_key == "s=1/+==");
  CHECK((*result)->session_token.empty());
  CHECK((*result)->source == "profile default in " + path);

  result = from_profile(home, "dev");
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "A2");
  CHECK((*result)->secret_access_key == "S2");
  CHECK((*result)->session_token == "T2");
}

TEST_CASE("the config file names its sections 'profile x', and yields to the credentials file") {
  TemporaryDirectory home;
  home.write(".aws/config",
             "[default]\nregion = eu-south-1\naws_access_key_id = C0\naws_secret_access_key = S0\n"
             "[profile  \"dev\"]\ns3 =\n  max_concurrent_requests = 20\naws_access_key_id = C1\n"
             "aws_secret_access_key = S1\n[other]\naws_access_key_id = C2\n"
             "aws_secret_access_key = S2\n");
  auto result = from_profile(home, "dev");
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "C1");
  result = from_profile(home);
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "C0");
  CHECK(contains(error_of(from_profile(home, "other")), "profile other is in neither"));

  home.write(".aws/credentials", "[dev]\naws_access_key_id=F1\naws_secret_access_key=FS1\n");
  result = from_profile(home, "dev");
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "F1");
}

TEST_CASE("files can lie elsewhere") {
  TemporaryDirectory home;
  home.write("keys", "[default]\naws_access_key_id=K\naws_secret_access_key=S\n");
  Profiles profiles({{"HOME", home.path()}, {"AWS_SHARED_CREDENTIALS_FILE", "~/keys"}});
  const auto result = profiles.provider.provide();
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "K");
}

TEST_CASE("no file, no home, or a profile without keys is nothing; a named one is missed") {
  TemporaryDirectory home;
  CHECK(error_of(Profiles({}).provider.provide()) == "nothing");
  CHECK(error_of(from_profile(home)) == "nothing");
  CHECK(contains(error_of(from_profile(home, "dev")), "profile dev is in neither " + home.path()));
  home.write(".aws/config", "[default]\nregion=eu-west-1\n\n[profile dev]\nregion=x\n");
  for (const std::string name : {"", "default", "dev"}) {
    CHECK(error_of(from_profile(home, name)) == "nothing");
  }
  CHECK(contains(error_of(from_profile(home, "gone")), "profile gone is in neither "));
}

TEST_CASE("a damaged file is named with the line, and its text is not repeated") {
  TemporaryDirectory home;
  const auto error_with = [&](const std::string& text) {
    home.write(".aws/credentials", text);
    return error_of(from_profile(home));
  };
  const std::string path = home.path() + "/.aws/credentials";
  CHECK(contains(error_with("[default]\nhush\n"), path + ":2: expected key = value"));
  CHECK(!contains(error_with("[default]\nhush\n"), "hush"));
  CHECK(contains(error_with("\n[default\n"), path + ":2: a section's ']' is missing"));
  CHECK(contains(error_with("aws_access_key_id=A\n"), path + ":1: expected a section"));
  CHECK(contains(error_with("[default]\naws_access_key_id=A\n"),
                 path + ":2: profile default has aws_access_key_id, but no aws_secret_access_key"));
  CHECK(contains(error_with("[default]\naws_secret_access_key=hush\n"), path + ":2: "));
  CHECK(!contains(error_with("[default]\naws_secret_access_key=hush\n"), "hush"));
  std::filesystem::remove(path);
  std::filesystem::create_directory(path);
  CHECK(contains(error_of(from_profile(home)), "cannot read " + path + ": "));
}

TEST_CASE("a changed file is read again, and looked at once a second at most") {
  TemporaryDirectory home;
  home.write(".aws/credentials", "[default]\naws_access_key_id=A1\naws_secret_access_key=S\n");
  Profiles profiles({{"HOME", home.path()}});
  const auto current = [&] { return key_of(profiles.provider.provide()); };
  CHECK(current() == "A1");
  home.write(".aws/credentials", "[default]\naws_access_key_id=A22\naws_secret_access_key=S\n");
  profiles.scene.steady_now += std::chrono::milliseconds(999);
  CHECK(current() == "A1");
  profiles.scene.steady_now += std::chrono::milliseconds(1);
  CHECK(current() == "A22");
  std::filesystem::remove(home.path() + "/.aws/credentials");
  profiles.scene.steady_now += std::chrono::seconds(1);
  CHECK(current() == "nothing");
  home.write(".aws/config", "[default]\naws_access_key_id=A3\naws_secret_access_key=S\n");
  profiles.scene.steady_now += std::chrono::seconds(1);
  CHECK(current() == "A3");
}

TEST_CASE("a file that could not be read is read again a second later, though it did not change") {
  TemporaryDirectory home;
  home.write(".aws/credentials", "[default]\naws_access_key_id=A1\naws_secret_access_key=S\n");
  Profiles profiles({{"HOME", home.path()}});
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const std::string without_descriptors = key_of(profiles.provider.provide());
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(contains(without_descriptors, "/.aws/credentials: Too many open files"));
  CHECK(key_of(profiles.provider.provide()) == without_descriptors);
  profiles.scene.steady_now += std::chrono::seconds(1);
  CHECK(key_of(profiles.provider.provide()) == "A1");
}

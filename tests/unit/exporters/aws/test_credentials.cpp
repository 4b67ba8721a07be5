#include "exporters/aws/credentials.h"

#include <map>
#include <string>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

using namespace invlog::aws;
using invlog::tests::TemporaryDirectory;

namespace {

Environment environment_of(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional<std::string>(found->second);
  };
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// The error of a provider that must have one, or what it gave instead.
std::string error_of(const ProvideResult& result) {
  return result ? std::string(*result ? "credentials" : "nothing") : result.error();
}

ProvideResult from_profile(const TemporaryDirectory& home, const std::string& profile = "") {
  std::map<std::string, std::string> variables{{"HOME", home.path()}};
  if (!profile.empty()) {
    variables["AWS_PROFILE"] = profile;
  }
  return profile_provider(environment_of(variables))->provide();
}

}  // namespace

TEST_CASE("the environment gives keys, and a token if there is one") {
  const auto result = environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", "AKID"},
                                                           {"AWS_SECRET_ACCESS_KEY", "secret"},
                                                           {"AWS_SESSION_TOKEN", "token"}}))
                          ->provide();
  REQUIRE(result);
  REQUIRE(*result);
  CHECK((*result)->access_key_id == "AKID");
  CHECK((*result)->secret_access_key == "secret");
  CHECK((*result)->session_token == "token");
  CHECK((*result)->source == "environment");
  CHECK(!(*result)->expiration);
}

TEST_CASE("an environment without keys is not an error, half a pair is") {
  CHECK(error_of(environment_provider(environment_of({}))->provide()) == "nothing");
  CHECK(error_of(environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", ""}}))->provide()) ==
        "nothing");
  CHECK(contains(
      error_of(environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", "AKID"}}))->provide()),
      "AWS_SECRET_ACCESS_KEY is not"));
  const std::string error = error_of(
      environment_provider(environment_of({{"AWS_SECRET_ACCESS_KEY", "hush"}}))->provide());
  CHECK(contains(error, "AWS_ACCESS_KEY_ID is not"));
  CHECK(!contains(error, "hush"));
}

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
  const auto result = profile_provider(environment_of({{"HOME", home.path()},
                                                       {"AWS_SHARED_CREDENTIALS_FILE", "~/keys"}}))
                          ->provide();
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "K");
}

TEST_CASE("no file, no home, or a default profile without keys is nothing; a named one is missed") {
  TemporaryDirectory home;
  CHECK(error_of(profile_provider(environment_of({}))->provide()) == "nothing");
  CHECK(error_of(from_profile(home)) == "nothing");
  CHECK(contains(error_of(from_profile(home, "dev")), "profile dev is in neither " + home.path()));
  const std::string config =
      home.write(".aws/config", "[default]\nregion=eu-west-1\n\n[profile dev]\nregion=x\n");
  CHECK(error_of(from_profile(home)) == "nothing");
  CHECK(contains(error_of(from_profile(home, "dev")),
                 config + ":4: profile dev has no aws_access_key_id"));
}

TEST_CASE("what would make another SDK assume a role is refused, with the place") {
  TemporaryDirectory home;
  for (const std::string key :
       {"role_arn", "sso_session", "sso_start_url", "web_identity_token_file", "credential_source",
        "credential_process"}) {
    const std::string config =
        home.write(".aws/config", "[profile dev]\nregion = eu-west-1\n" + key + " = something\n");
    const std::string error = error_of(from_profile(home, "dev"));
    INFO(error);
    CHECK(contains(error, config + ":3: profile dev uses " + key + ","));
    CHECK(contains(error, "static keys"));
  }
  home.write(".aws/credentials", "[dev]\naws_access_key_id=A\naws_secret_access_key=S\n");
  home.write(".aws/config",
             "[profile dev]\nrole_arn = arn:aws:iam::1:role/x\nsource_profile = dev\n");
  CHECK(contains(error_of(from_profile(home, "dev")), "role_arn"));
  home.write(".aws/config", "[profile dev]\ncredential_process = /bin/keys\n");
  CHECK(error_of(from_profile(home, "dev")) == "credentials");
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
  std::chrono::steady_clock::time_point now{};
  const auto provider =
      profile_provider(environment_of({{"HOME", home.path()}}), "", [&now] { return now; });
  const auto current = [&] {
    const auto result = provider->provide();
    return error_of(result) == "credentials" ? (*result)->access_key_id : error_of(result);
  };
  CHECK(current() == "A1");
  home.write(".aws/credentials", "[default]\naws_access_key_id=A22\naws_secret_access_key=S\n");
  now += std::chrono::milliseconds(999);
  CHECK(current() == "A1");
  now += std::chrono::milliseconds(1);
  CHECK(current() == "A22");
  std::filesystem::remove(home.path() + "/.aws/credentials");
  now += std::chrono::seconds(1);
  CHECK(current() == "nothing");
  home.write(".aws/config", "[default]\naws_access_key_id=A3\naws_secret_access_key=S\n");
  now += std::chrono::seconds(1);
  CHECK(current() == "A3");
}

TEST_CASE("the chain takes the first value or error") {
  TemporaryDirectory home;
  home.write(".aws/credentials", "[default]\naws_access_key_id=F\naws_secret_access_key=S\n");
  auto result = default_chain(environment_of({{"HOME", home.path()}}))->provide();
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "F");
  result = default_chain(environment_of({{"HOME", home.path()},
                                         {"AWS_ACCESS_KEY_ID", "E"},
                                         {"AWS_SECRET_ACCESS_KEY", "S"}}))
               ->provide();
  REQUIRE(error_of(result) == "credentials");
  CHECK((*result)->access_key_id == "E");
  CHECK(contains(
      error_of(default_chain(environment_of({{"HOME", home.path()}, {"AWS_ACCESS_KEY_ID", "E"}}))
                   ->provide()),
      "environment: "));
  CHECK(error_of(default_chain(environment_of({}))->provide()) == "nothing");
}

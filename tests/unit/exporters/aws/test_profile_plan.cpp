#include "exporters/aws/profile_plan.h"

#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;

namespace {

constexpr const char* kRole = "role_arn = arn:aws:iam::123456789012:role/";
const std::string kKeys = "aws_access_key_id = AKID\naws_secret_access_key = hushhush\n";

tl::expected<ProfilePlan, std::string> plan_of(const std::string& config,
                                               const std::string& credentials = "",
                                               const std::string& profile = "dev",
                                               bool must_exist = true, bool must_give = false) {
  TemporaryDirectory home;
  const auto files =
      ProfileFiles::read({home.write("credentials", credentials), home.write("config", config)});
  if (!files) {
    return tl::unexpected(files.error());
  }
  PlanOptions options;
  options.profile = profile;
  options.must_exist = must_exist;
  options.must_give = must_give;
  return plan_profile(*files, options);
}

// "keys base, role mid, role dev", or the error.
std::string steps_of(const tl::expected<ProfilePlan, std::string>& plan) {
  if (!plan) {
    return plan.error();
  }
  std::string text;
  for (const ProfileStep& step : *plan) {
    constexpr const char* kNames[] = {"keys", "process", "web identity", "source", "role"};
    text += (text.empty() ? "" : ", ") + std::string(kNames[static_cast<int>(step.kind)]) + " " +
            step.profile;
  }
  return text;
}

std::string role(const std::string& name) {
  return kRole + name + "\n";
}

}  // namespace

TEST_CASE("roles are assumed one by the other, from the profile that has keys to the one asked") {
  const auto plan =
      plan_of("[profile dev]\n" + role("dev") +
                  "source_profile = mid\nrole_session_name = me@host\nexternal_id = ext/1\n"
                  "duration_seconds = 900\n[profile mid]\n" +
                  role("mid") + "source_profile = base\n",
              "[base]\n" + kKeys + "aws_session_token = T\n");
  REQUIRE(steps_of(plan) == "keys base, role mid, role dev");
  CHECK((*plan)[0].access_key_id == "AKID");
  CHECK((*plan)[0].secret_access_key == "hushhush");
  CHECK((*plan)[0].session_token == "T");
  CHECK((*plan)[1].role.role_arn == "arn:aws:iam::123456789012:role/mid");
  CHECK((*plan)[1].role.session_name == "invlog");
  CHECK((*plan)[1].role.external_id == "");
  CHECK((*plan)[1].role.duration.count() == 0);
  CHECK((*plan)[2].role.session_name == "me@host");
  CHECK((*plan)[2].role.external_id == "ext/1");
  CHECK((*plan)[2].role.duration.count() == 900);
}

TEST_CASE("a role may be assumed by what the environment, the container or the instance gives") {
  for (const std::string source : {"Environment", "EcsContainer", "Ec2InstanceMetadata"}) {
    const auto plan = plan_of("[profile dev]\n" + role("dev") + "credential_source=" + source);
    REQUIRE(steps_of(plan) == "source dev, role dev");
    CHECK((*plan)[0].text == source);
  }
  CHECK(contains(
      steps_of(plan_of("[profile dev]\n" + role("dev") + "credential_source = environment\n")),
      "/config:3: profile dev has a credential_source that is none of Environment"));
}

TEST_CASE("a role needs exactly one thing to be assumed with") {
  CHECK(contains(steps_of(plan_of("[profile dev]\n" + role("dev"))),
                 "/config:2: profile dev has role_arn, but neither source_profile nor "
                 "credential_source"));
  CHECK(contains(steps_of(plan_of("[profile dev]\n" + role("dev") +
                                  "source_profile=dev\ncredential_source=Environment\n")),
                 "/config:4: profile dev has source_profile and credential_source"));
  for (const std::string key : {"source_profile", "credential_source", "web_identity_token_file"}) {
    CHECK(contains(steps_of(plan_of("[profile dev]\n" + key + " = x\n" + kKeys)),
                   "/config:2: profile dev has " + key + ", but no role_arn"));
  }
}

TEST_CASE("a circle of source profiles is told with all its members") {
  const std::string config = "[profile a]\n" + role("a") + "source_profile = b\n[profile b]\n" +
                             role("b") + "source_profile = c\n[profile c]\n" + role("c") +
                             "source_profile = b\n[profile self]\n" + role("self") +
                             "source_profile = self\n";
  CHECK(contains(steps_of(plan_of(config, "", "a")),
                 "/config:9: profile c closes a circle of source_profile: a -> b -> c -> b"));
  CHECK(contains(steps_of(plan_of(config, "", "self")),
                 "/config:12: profile self closes a circle of source_profile: self -> self"));
  const std::string first(120, 'x');
  std::string long_names;
  for (int number = 0; number < 9; ++number) {
    long_names += "[profile " + first + std::to_string(number) + "]\n" + role("a") +
                  "source_profile = " + first + std::to_string((number + 1) % 9) + "\n";
  }
  CHECK(steps_of(plan_of(long_names, "", first + "0")).size() < 1000);
}

TEST_CASE("a profile may name itself for its own keys, which end the chain") {
  const std::string self = "[profile dev]\n" + role("dev") + "source_profile = dev\n";
  CHECK(steps_of(plan_of(self + kKeys)) == "keys dev, role dev");
  CHECK(steps_of(plan_of(self, "[dev]\n" + kKeys)) == "keys dev, role dev");
  // A source that has keys and a role gives its keys, as botocore has it.
  CHECK(
      steps_of(plan_of("[profile dev]\n" + role("dev") + "source_profile = base\n[profile base]\n" +
                       role("base") + "source_profile = none\n" + kKeys)) == "keys base, role dev");
}

TEST_CASE("a chain of 32 profiles is followed, and a longer one is refused") {
  const auto chain = [](int profiles) {
    std::string config;
    for (int number = 1; number < profiles; ++number) {
      config += "[profile p" + std::to_string(number) + "]\n" + role("p") + "source_profile = p" +
                std::to_string(number + 1) + "\n";
    }
    return plan_of(config, "[p" + std::to_string(profiles) + "]\n" + kKeys, "p1");
  };
  const auto plan = chain(32);
  REQUIRE(plan);
  CHECK(plan->size() == 32);
  for (const int profiles : {33, 20000}) {
    CHECK(contains(steps_of(chain(profiles)),
                   "/config:96: profile p32 is the last of 32 profiles in a row"));
  }
}

TEST_CASE("a source profile that is missing, or that has nothing, is an error with its place") {
  CHECK(contains(steps_of(plan_of("[profile dev]\n" + role("dev") + "source_profile = gone\n")),
                 "/config:3: profile dev has the source_profile gone, which is in neither "));
  CHECK(contains(steps_of(plan_of("[profile dev]\n" + role("dev") +
                                  "source_profile = base\n[profile base]\nregion = x\n")),
                 "/config:4: profile base has no aws_access_key_id"));
  CHECK(contains(steps_of(plan_of("", "", "gone")), "profile gone is in neither "));
  CHECK(contains(steps_of(plan_of("", "", "gone")), "correct AWS_PROFILE, or add the profile"));
  CHECK(steps_of(plan_of("", "", "gone", false)) == "");
  CHECK(steps_of(plan_of("[default]\nregion = x\n", "", "default", false)) == "");
}

TEST_CASE("a profile that says nothing of credentials is no error unless it stands alone") {
  for (const std::string line :
       {"", "region = x\n", "aws_access_key_id =\n", "role_session_name = me\n"}) {
    INFO(line);
    for (const std::string name : {"dev", "default"}) {
      const std::string config = "[profile " + name + "]\n" + line;
      const auto plan = plan_of(config, "", name);
      REQUIRE(plan);
      CHECK(plan->empty());
      CHECK(contains(steps_of(plan_of(config, "", name, true, true)),
                     "/config:1: profile " + name + " has no aws_access_key_id"));
    }
  }
  CHECK(contains(steps_of(plan_of("[profile dev]\nregion = x\naws_access_key_id = A\n")),
                 "/config:3: profile dev has aws_access_key_id, but no aws_secret_access_key"));
}

TEST_CASE("keys of the credentials file go before a process, and a process before config's keys") {
  const std::string process = "[profile dev]\ncredential_process = /bin/keys --of 'me'\n";
  CHECK(steps_of(plan_of(process, "[dev]\n" + kKeys)) == "keys dev");
  const auto plan = plan_of(process + kKeys);
  REQUIRE(steps_of(plan) == "process dev");
  CHECK((*plan)[0].text == "/bin/keys --of 'me'");
  CHECK(steps_of(plan_of("[profile dev]\n" + role("dev") +
                         "source_profile = base\n[profile base]\n"
                         "credential_process = /bin/keys\n")) == "process base, role dev");
}

TEST_CASE("a web identity is a beginning, and another role may be assumed with it") {
  const std::string web = "web_identity_token_file = /var/token\nsource_profile = not-looked-at\n";
  auto plan = plan_of("[profile dev]\n" + role("dev") + web);
  REQUIRE(steps_of(plan) == "web identity dev");
  CHECK((*plan)[0].text == "/var/token");
  CHECK((*plan)[0].role.role_arn == "arn:aws:iam::123456789012:role/dev");
  plan = plan_of("[profile dev]\n" + role("dev") + "source_profile = pod\n[profile pod]\n" +
                 role("pod") + web);
  CHECK(steps_of(plan) == "web identity pod, role dev");
}

TEST_CASE("what needs a person is refused with what to do instead") {
  CHECK(contains(steps_of(plan_of("[profile dev]\n" + role("dev") +
                                      "source_profile = base\nmfa_serial = arn:aws:iam::1:mfa/me\n",
                                  "[base]\n" + kKeys)),
                 "/config:4: profile dev has mfa_serial: "));
  for (const std::string key :
       {"sso_session", "sso_start_url", "sso_account_id", "sso_role_name"}) {
    const std::string error = steps_of(plan_of("[profile dev]\n" + key + " = x\n"));
    CHECK(contains(error, "/config:2: profile dev uses " + key));
    CHECK(contains(error, "aws sso login"));
    CHECK(contains(error, "export-credentials --profile dev"));
  }
  CHECK(contains(steps_of(plan_of("[profile dev]\nlogin_session = x\n")), "aws login"));
}

TEST_CASE("a wrong value of a role is told with file, line and key, and not sent to STS") {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"role_arn = invlog", "has a role_arn that must be a role's ARN"},
      {"role_arn = arn:aws:iam::123456789012:role/a b", "has a role_arn that must be"},
      {"role_session_name = a b", "has a role_session_name that must have 2 to 64"},
      {"role_session_name = a", "has a role_session_name that must have 2 to 64"},
      {"external_id = a b", "has an external_id that must have 2 to 1224"},
      {"duration_seconds = 899", "has duration_seconds, which must be"},
      {"duration_seconds = 1h", "has duration_seconds, which must be"}};
  for (const auto& [line, expected] : wrong) {
    INFO(line);
    CHECK(contains(
        steps_of(plan_of("[profile dev]\n" + role("dev") + "source_profile = base\n" + line + "\n",
                         "[base]\n" + kKeys)),
        "/config:4: profile dev " + expected));
  }
}

TEST_CASE("half a pair of keys is an error in whichever profile of the chain it is") {
  const std::string dev = "[profile dev]\n" + role("dev") + "source_profile = base\n";
  CHECK(contains(steps_of(plan_of(dev, "[base]\naws_access_key_id = A\n")),
                 "/credentials:2: profile base has aws_access_key_id, but no"));
  const std::string error = steps_of(plan_of(dev, "[base]\naws_secret_access_key = hushhush\n"));
  CHECK(contains(error, "profile base has aws_secret_access_key, but no"));
  CHECK(!contains(error, "hushhush"));
}

TEST_CASE("names from the files are made fit for a message") {
  const std::string error =
      steps_of(plan_of("[profile dev]\n" + role("dev") + "source_profile = a\x07\x1b[31m" +
                       std::string(5000, 'x') + "\n"));
  CHECK(contains(error, "has the source_profile a [31mxxx"));
  CHECK(error.size() < 1000);
}

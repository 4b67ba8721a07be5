#include "agent/delivery/aws_access.h"

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::tests;
using namespace invlog::delivery;
using invlog::config::AgentConfig;

namespace {

constexpr const char* kFiles =
    "[default]\naws_access_key_id = AKIDDEFAULT\naws_secret_access_key = s1\n"
    "[invlog]\naws_access_key_id = AKIDINVLOG\naws_secret_access_key = s2\n";

std::string key_id(const AgentConfig& configuration, std::map<std::string, std::string> variables) {
  variables["AWS_EC2_METADATA_DISABLED"] = "true";
  const auto provided =
      make_credentials(configuration, environment_of(std::move(variables)))->provide();
  if (!provided) {
    return "error: " + provided.error().message;
  }
  return *provided ? (*provided)->access_key_id : "";
}

}  // namespace

TEST_CASE("credentials come by configuration and environment") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("credentials", kFiles);
  AgentConfig configuration;
  configuration.region = "eu-central-1";
  const std::map<std::string, std::string> keys = {{"AWS_ACCESS_KEY_ID", "AKIDENVIRONMENT"},
                                                   {"AWS_SECRET_ACCESS_KEY", "s"},
                                                   {"AWS_SHARED_CREDENTIALS_FILE", file}};
  CHECK(key_id(configuration, keys) == "AKIDENVIRONMENT");
  CHECK(key_id(configuration, {{"AWS_SHARED_CREDENTIALS_FILE", file}}) == "AKIDDEFAULT");
  CHECK(key_id(configuration, {{"AWS_SHARED_CREDENTIALS_FILE", file}, {"AWS_PROFILE", "invlog"}}) ==
        "AKIDINVLOG");
  CHECK(key_id(configuration, {{"HOME", directory.path()}}).empty());
  configuration.aws.profile = "invlog";  // named by configuration: nothing is asked before it
  CHECK(key_id(configuration, keys) == "AKIDINVLOG");
  configuration.aws.profile = "absent";
  CHECK(contains(key_id(configuration, keys), "absent"));
}

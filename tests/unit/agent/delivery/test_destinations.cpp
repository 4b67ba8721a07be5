#include "agent/delivery/destinations.h"

#include "agent/delivery/aws_access.h"
#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"

using namespace invlog::tests;
using namespace invlog::delivery;
using namespace std::chrono_literals;

namespace {

constexpr const char* kBoth = R"([exporters.cloudwatch_logs]
log_group = "/invlog/records"
batch_age = "7s"
[exporters.s3]
bucket = "records-eu"
endpoint = "http://127.0.0.1:9000"
region_attested = true
batch_age = "3s"
start = "now"
)";

invlog::config::AgentConfig loaded(const std::string& text) {
  auto configuration = from_file(kRegion + text);
  REQUIRE(error_of(configuration) == "(no error)");
  return *configuration;
}

}  // namespace

TEST_CASE("each table of exporters becomes a destination with a client of its own") {
  FixedCredentials credentials;
  const auto configuration = loaded(kBoth);
  const auto made =
      make_destinations(configuration, {credentials, environment_of({}), "host", nullptr});
  REQUIRE(made.size() == 2);
  CHECK(made[0].destination->name() == "s3");
  CHECK(made[0].batch_age == 3s);
  CHECK(made[0].from_now);
  CHECK(made[1].destination->name() == "cloudwatch_logs");
  CHECK(made[1].batch_age == 7s);
  CHECK(!made[1].from_now);
  CHECK(made[0].http != nullptr);
  CHECK(made[1].http != nullptr);
  CHECK(made[0].http != made[1].http);

  const auto options = shipper_options(configuration, made[0]);
  CHECK(options.store_path == configuration.store_path());
  CHECK(options.batch_age == 3s);
  CHECK(options.from_now);
}

TEST_CASE("configured destinations can be described without asking anybody") {
  CHECK(describe_destinations(loaded("")).empty());
  const auto described = describe_destinations(loaded(kBoth));
  REQUIRE(described.size() == 2);
  CHECK(described[0].name == "s3");
  CHECK(described[0].target == "s3://records-eu at http://127.0.0.1:9000");
  CHECK(described[0].from_now);
  CHECK(described[1].name == "cloudwatch_logs");
  CHECK(described[1].target == "/invlog/records aws/bedrock/modelinvocations");
  CHECK(!described[1].from_now);
}

TEST_CASE("a log stream of the host's own carries the host's name") {
  const auto configuration =
      loaded("[exporters.cloudwatch_logs]\nlog_group = \"/invlog\"\nhost_suffix = true\n");
  const auto described = describe_destinations(configuration);
  REQUIRE(described.size() == 1);
  CHECK(described[0].target == "/invlog aws/bedrock/modelinvocations/" + host_name());
}

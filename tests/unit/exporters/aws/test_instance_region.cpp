#include "exporters/aws/instance_region.h"

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

const Variables kEndpoint = {{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338"}};

// A metadata service, and a folder as the firmware's.
struct Host {
  CredentialScene scene;
  TemporaryDirectory firmware;
  std::string region = "eu-west-1\n";
  int status = 200;

  Host() {
    scene.http.answer = [this](const ScriptedHttp::Asked& asked) -> HttpResult {
      if (asked.url.ends_with("/latest/api/token")) {
        return http_response(200, "TOKEN");
      }
      return http_response(status, region);
    };
  }
  std::string ask(const Variables& variables) {
    return instance_region(scene.options(variables), firmware.path());
  }
  std::size_t asked() const { return scene.http.asked.size(); }
};

}  // namespace

TEST_CASE("an instance's Region is asked for with a token") {
  Host host;
  CHECK(host.ask(kEndpoint) == "eu-west-1");
  REQUIRE(host.asked() == 2);
  const auto& token = host.scene.http.asked[0];
  CHECK(token.method == "PUT");
  CHECK(token.total_timeout == 1s);
  CHECK(token.direct);
  const auto& region = host.scene.http.asked[1];
  CHECK(region.url == "http://127.0.0.1:1338/latest/meta-data/placement/region");
  CHECK(header_of(region.headers, "x-aws-ec2-metadata-token") == "TOKEN");
}

TEST_CASE("nobody is asked on a host that is no instance") {
  Host host;
  CHECK(host.ask({}).empty());
  host.firmware.write("sys_vendor", "QEMU\n");
  host.firmware.write("board_vendor", "Not Amazon EC2\n");
  CHECK(host.ask({}).empty());
  CHECK(host.asked() == 0);
}

TEST_CASE("the firmware says that a host is an instance") {
  const char* file = GENERATE("sys_vendor", "board_vendor");
  Host host;
  host.firmware.write(file, "Amazon EC2\n");
  CHECK(host.ask({}) == "eu-west-1");
  CHECK(host.scene.http.asked[0].url == "http://169.254.169.254/latest/api/token");
}

TEST_CASE("nobody is asked where that is forbidden") {
  Host host;
  host.firmware.write("sys_vendor", "Amazon EC2\n");
  CHECK(host.ask({{"AWS_EC2_METADATA_DISABLED", "TRUE"}}).empty());
  CHECK(host.asked() == 0);
}

TEST_CASE("no answer, and an answer that is no Region, are none") {
  Host host;
  host.region = "<html>eu-west-1</html>";
  CHECK(host.ask(kEndpoint).empty());
  host.region = "";
  CHECK(host.ask(kEndpoint).empty());
  host.region = "eu-west-1";
  host.status = 404;
  CHECK(host.ask(kEndpoint).empty());
  host.scene.http.answer = [](const auto&) -> HttpResult {
    return http_failure(HttpFailure::Kind::connect);
  };
  CHECK(host.ask(kEndpoint).empty());
  CHECK(host.ask({{"AWS_EC2_METADATA_SERVICE_ENDPOINT", "nonsense"}}).empty());
}

#include "agent/cli/doctor_command.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <sstream>

#include "storage/reader.h"
#include "storage/statement.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::cli;
using namespace invlog::tests;
using invlog::aws::FailureKind;
using invlog::aws::LinkReport;
using invlog::exporters::failure_with;
using invlog::exporters::FakeService;

namespace {

// What the chain says, link by link; `reports` outlives it.
class ToldCredentials final : public FixedCredentials {
 public:
  explicit ToldCredentials(const std::vector<LinkReport>& reports) : reports_(reports) {}
  std::vector<LinkReport> explain() override { return reports_; }

 private:
  const std::vector<LinkReport>& reports_;
};

constexpr const char* kArn = "arn:aws:iam::123456789012:user/invlog";

// The example store in good health; tests break one thing.
struct DoctorCommandScene {
  DoctorCommandScene() {
    file = store.directory().write(
        "c.toml", kRegion + "state_dir = \"" + store.directory().path() +
                      "\"\nupstream = \"http://127.0.0.1:8080\"\n[aws]\nsts_endpoint = "
                      "\"http://127.0.0.1:5000\"\n[exporters.s3]\nbucket = \"records-eu\"\n");
    options.store.config_file = file;
    options.world.environment = environment_of({});
    options.world.make_destinations = destinations_of({{{"s3", "s3://records-eu", 10, true}, s3}});
    options.world.make_credentials = [this](const auto&, const auto&, const auto*) {
      return std::make_unique<ToldCredentials>(links);
    };
    options.world.make_http_client = [this](const auto&, const auto&, const auto*) {
      auto client = std::make_unique<ScriptedHttpClient>();
      prepare(*client, clients++);
      return client;
    };
    options.clock = [] { return std::chrono::system_clock::from_time_t(1'791'208'800); };
    options.free_space = [this](const std::string&) { return free; };
    options.is_invlog = [](std::int64_t) { return false; };
    options.service_files = {store.directory().path() + "/environment",
                             store.directory().path() + "/credentials"};
  }

  // The first client is STS's, the second the upstream's.
  void prepare(ScriptedHttpClient& client, int number) const {
    if (number == 0) {
      if (account.empty()) {
        client.fail(invlog::aws::HttpFailure::Kind::connect, "127.0.0.1:5000: refused");
      } else {
        client.answer(200, identity_answer(account, kArn));
      }
      return;
    }
    if (upstream_is_away) {
      client.fail(invlog::aws::HttpFailure::Kind::resolve, "127.0.0.1:8080: no such host");
      return;
    }
    client.answer(403, "", {{"date", date}});
    client.answer(bedrock_status, R"({"message":"told by the test"})",
                  {{"x-amzn-errortype", bedrock_code}});
  }

  CommandAnswer examine() {
    clients = 0;
    std::ostringstream out, err;
    const int exit_code = run_doctor(options, out, err);
    return {exit_code, out.str(), err.str()};
  }

  const ExampleStore store;
  std::string file;
  FakeService s3;
  DoctorOptions options;
  std::vector<LinkReport> links{
      {"environment", LinkReport::Outcome::not_configured, "AWS_ACCESS_KEY_ID is not set", {}},
      {"profile invlog", LinkReport::Outcome::answered, "profile invlog in /root/.aws/config", {}},
      {"container", LinkReport::Outcome::not_asked, "", {}},
      {"IMDS", LinkReport::Outcome::not_asked, "", {}}};
  std::string account = "123456789012";
  std::string date = "Mon, 05 Oct 2026 14:00:00 GMT";
  int bedrock_status = 400;
  std::string bedrock_code = "ValidationException";
  bool upstream_is_away = false;
  std::optional<std::uint64_t> free = 50ull << 30;
  int clients = 0;
};

}  // namespace

TEST_CASE("doctor names the link that answered, who that is, and each permission") {
  DoctorCommandScene scene;
  scene.s3.checks = {{"Region of bucket records-eu", true, "eu-central-1"},
                     {"s3:PutObject on records-eu/*", true, "s3://records-eu/check"}};
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 0);
  CHECK(answer.err.empty());
  CHECK(contains(answer.out,
                 "-        credentials: environment: nothing (AWS_ACCESS_KEY_ID is not set)\n"
                 "ok       credentials: from profile invlog in /root/.aws/config\n"
                 "-        credentials: not asked, as one before them decided: container, IMDS\n"));
  CHECK(contains(answer.out,
                 std::string("ok       identity: ") + kArn + " in account 123456789012\n"));
  CHECK(contains(answer.out, "ok       clock: "));
  CHECK(contains(answer.out, "ok       Region of bucket records-eu: eu-central-1\n"));
  CHECK(contains(answer.out, "ok       s3:PutObject on records-eu/*: s3://records-eu/check\n"));
  CHECK(!contains(answer.out, "very-secret-key"));
  scene.options.json = true;
  const std::string json = scene.examine().out;
  CHECK(contains(json,
                 "{\"ok\":true,\"findings\":[{\"level\":\"ok\",\"subject\":"
                 "\"configuration\",\"detail\":\"Region eu-central-1\",\"advice\":\"\"}"));
}

TEST_CASE("doctor warns if the service may not be asked for inference profiles") {
  DoctorCommandScene scene;
  CHECK(contains(scene.examine().out, "-        bedrock:ListInferenceProfiles: not asked: "));
  scene.options.world.environment =
      environment_of({{"AWS_ENDPOINT_URL_BEDROCK", "http://127.0.0.1:5001"}});
  scene.options.world.make_http_client = [&scene](const auto&, const auto&, const auto*) {
    auto client = std::make_unique<ScriptedHttpClient>();
    if (scene.clients == 2) {
      client->answer(403, R"({"message":"no"})", {{"x-amzn-errortype", "AccessDeniedException"}});
    }
    scene.prepare(*client, scene.clients++);
    return client;
  };
  const auto refused = scene.examine();
  CHECK(refused.exit_code == 0);
  CHECK(contains(refused.out, "warning  bedrock:ListInferenceProfiles: "));
  CHECK(contains(refused.out, "-> allow bedrock:ListInferenceProfiles"));
}

TEST_CASE("doctor advises by the kind of failure") {
  struct Row {
    FailureKind kind;
    const char* advice;
  };
  const Row row = GENERATE(
      Row{FailureKind::denied, "-> allow it in the policy of arn:aws:iam::123456789012:user/"},
      Row{FailureKind::credentials, "-> see \"credentials\" above"},
      Row{FailureKind::not_found, "-> create it in this Region, or correct its name"},
      Row{FailureKind::redirected, "-> correct the configuration: nothing is sent"},
      Row{FailureKind::transient, "-> if it does not pass by itself: check the endpoint"});
  DoctorCommandScene scene;
  scene.s3.checks = {{"s3:PutObject on records-eu/*", false, "no", row.kind}};
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     s3:PutObject on records-eu/*: no\n"));
  CHECK(contains(answer.out, row.advice));
}

TEST_CASE("what could not be tried is no failure of its own") {
  DoctorCommandScene scene;
  scene.s3.checks = {
      {"Region of bucket records-eu", false, "is in us-east-1", FailureKind::redirected},
      {"s3:PutObject on records-eu/*", false, "not tried"}};
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     Region of bucket records-eu: is in us-east-1\n"));
  CHECK(contains(answer.out, "-        s3:PutObject on records-eu/*: not tried\n"));
}

TEST_CASE("doctor warns of chain heads that would not arrive, as records do without them") {
  DoctorCommandScene scene;
  invlog::exporters::Destination::Check heads{"logs:PutLogEvents on the stream of heads", false,
                                              "it does not exist", FailureKind::not_found};
  heads.for_records = false;
  scene.s3.checks = {heads};
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out,
                 "warning  logs:PutLogEvents on the stream of heads: it does not exist\n"));
  CHECK(contains(answer.out, "`invlog verify --delivered` has nothing to compare with there"));
}

TEST_CASE("doctor writes nothing where it may not") {
  DoctorCommandScene scene;
  scene.options.write = false;
  CHECK(contains(scene.examine().out, "ok       s3: s3://records-eu is in eu-central-1\n"));
  CHECK(scene.s3.check_calls == 0);
  scene.s3.fault = [](FakeService::Call call, bool) {
    return call == FakeService::Call::prove ? std::optional(failure_with(FailureKind::redirected))
                                            : std::nullopt;
  };
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     s3: redirected on purpose\n"));
}

TEST_CASE("doctor says when there are no credentials, and which link is broken") {
  DoctorCommandScene scene;
  scene.links = {{"environment", LinkReport::Outcome::not_configured, "not set", {}}};
  auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     credentials: there are none\n         -> give the host"));
  CHECK(!contains(answer.out, "identity"));
  scene.links = {{"profile x", LinkReport::Outcome::failed, "/root/.aws/config: no such role", {}}};
  answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     credentials: profile x: /root/.aws/config: no such role\n"));
  CHECK(!contains(answer.out, "there are none"));
}

TEST_CASE("doctor says what only the service has") {
  DoctorCommandScene scene;
  scene.links = {{"environment", LinkReport::Outcome::not_configured, "not set", {}}};
  CHECK(!contains(scene.examine().out, " service: "));
  const std::string keys = scene.store.directory().write("credentials", "");
  const std::string out = scene.examine().out;
  CHECK(contains(out, "-        service: what " + keys + " says is for the service alone; "));
  CHECK(contains(out, " invlog doctor\n"));
  CHECK(contains(out,
                 "FAIL     credentials: there are none\n         -> see \"service\" above, or "));
  scene.options.world.environment = environment_of({{"CREDENTIALS_DIRECTORY", "/run/x"}});
  CHECK(!contains(scene.examine().out, " service: "));
}

TEST_CASE("doctor shows credentials that have expired") {
  DoctorCommandScene scene;
  scene.links = {{"IMDS", LinkReport::Outcome::answered, "IMDS",
                  scene.options.clock() - std::chrono::seconds(1)}};
  CHECK(contains(scene.examine().out, "credentials: from IMDS, expired\n"));
  scene.links[0].expiration = scene.options.clock() + std::chrono::hours(5);
  CHECK(contains(scene.examine().out, "credentials: from IMDS, valid for 5 h\n"));
}

TEST_CASE("doctor finds credentials of another account, and an STS that is away") {
  DoctorCommandScene scene;
  scene.account = "210987654321";
  auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out,
                 "in account 210987654321, but the records are of account "
                 "123456789012\n"));
  scene.account.clear();
  answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     identity: "));
  CHECK(contains(answer.out, "127.0.0.1:5000: refused"));
}

TEST_CASE("doctor looks at the upstream, the clock, and what Bedrock allows") {
  DoctorCommandScene scene;
  scene.date = "Mon, 05 Oct 2026 14:10:00 GMT";
  CHECK(contains(scene.examine().out, "warning  clock: this host is 600 s behind the upstream\n"));
  scene.date = "Mon, 05 Oct 2026 13:59:30 GMT";
  CHECK(contains(scene.examine().out, "-        clock: this host is 30 s ahead of the upstream\n"));
  scene.date = "no date";
  CHECK(contains(scene.examine().out, "-        clock: the upstream's answer has no date"));
  scene.bedrock_status = 403;
  scene.bedrock_code = "AccessDeniedException";
  auto answer = scene.examine();
  CHECK(contains(answer.out, "warning  bedrock:InvokeModel: "));
  CHECK(answer.exit_code == 0);
  scene.upstream_is_away = true;
  answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out,
                 "FAIL     upstream: 127.0.0.1:8080: no such host\n         -> check "
                 "the name and this host's DNS\n"));
}

TEST_CASE("doctor looks at the space that is left") {
  DoctorCommandScene scene;
  scene.free = 500ull << 20;
  CHECK(contains(scene.examine().out, "warning  disk space: 500.0 MiB free in "));
  scene.free = 1 << 20;
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     disk space: 1.0 MiB free in "));
  scene.free.reset();
  CHECK(!contains(scene.examine().out, "disk space"));
}

TEST_CASE("doctor finds damage that a start would end with") {
  DoctorCommandScene scene;
  REQUIRE(contains(scene.examine().out, "ok       store: "));
  const auto reader = invlog::storage::Reader::open(scene.store.path());
  REQUIRE(reader.has_value());
  const std::int64_t root = invlog::storage::single_integer(
      (*reader)->connection(), "SELECT rootpage FROM sqlite_schema WHERE name = 'chunk'");
  invlog::storage::damage_page(scene.store.path(), root);
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     store: store " + scene.store.path() +
                                 ": it is damaged (database disk image is malformed): see "
                                 "`invlog verify`"));
  CHECK(!contains(answer.out, "ok       store: "));
}

TEST_CASE("doctor tells of the copy that a removed store is to be written again from") {
  DoctorCommandScene scene;
  const std::string store = scene.store.path(), copy = store + ".restored";
  std::filesystem::copy_file(store, copy);
  CHECK(contains(scene.examine().out, "warning  store: beside it is " + copy));
  std::filesystem::remove(store);
  CHECK(contains(scene.examine().out, "what was in it is in " + copy));
}

TEST_CASE("doctor does not say that there is no store where it may not look for one") {
  if (::geteuid() != 0) {
    WARN("only root can try this");
    return;
  }
  DoctorCommandScene scene;
  const TemporaryDirectory hidden;
  hidden.write("eu-central-1.db", "");
  scene.options.store.state_dir = hidden.path();
  REQUIRE(::chmod(scene.store.directory().path().c_str(), 0755) == 0);
  REQUIRE(::seteuid(4713) == 0);
  const auto answer = scene.examine();
  REQUIRE(::seteuid(0) == 0);
  CHECK(answer.exit_code == 1);
  CHECK(contains(answer.out, "FAIL     store: " + hidden.path() +
                                 "/eu-central-1.db cannot be looked for: Permission denied"));
  CHECK_FALSE(contains(answer.out, "there is none yet"));
}

TEST_CASE("doctor can be asked before there is a store, and refuses a wrong configuration") {
  DoctorCommandScene scene;
  const TemporaryDirectory empty;
  scene.options.store.state_dir = empty.path();
  CHECK(contains(scene.examine().out, "store: there is none yet; the agent will make " +
                                          empty.path() + "/eu-central-1.db\n"));
  scene.store.directory().write("c.toml", "[agent]\nregoin = \"x\"\n");
  const auto answer = scene.examine();
  CHECK(answer.exit_code == 2);
  CHECK(answer.out.empty());
  CHECK(contains(answer.err, "c.toml:2:1: unknown key \"regoin\""));
  scene.store.directory().write("c.toml", "[agent]\n");
  scene.options.world.environment = environment_of({{"AWS_EC2_METADATA_DISABLED", "true"}});
  CHECK(scene.examine().err.starts_with(
      "invlog doctor: no Region: set region below [agent] in the configuration file, or set "
      "AWS_REGION"));
}

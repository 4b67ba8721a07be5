#include "agent/delivery/identity_watch.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "storage/reader.h"
#include "storage/statement.h"
#include "storage/writer.h"
#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/delivery/delivery_scene.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::tests;
using invlog::aws::HttpFailure;
using invlog::delivery::IdentityWatch;
using invlog::delivery::OwnIdentity;
using invlog::delivery::pin_account;
using invlog::delivery::SigningKey;

namespace {

class TestKey : public invlog::aws::CredentialsProvider {
 public:
  invlog::aws::ProvideResult provide() override {
    const std::lock_guard guard(mutex_);
    return invlog::aws::Credentials{id_, "secret", "", {}, "test"};
  }
  void change(const std::string& id) {
    const std::lock_guard guard(mutex_);
    id_ = id;
  }

 private:
  std::mutex mutex_;
  std::string id_ = "AKIDONE";
};

struct IdentityWatchScene {
  explicit IdentityWatchScene(const std::string& sts = "http://127.0.0.1:5000")
      : script(new ScriptedHttpClient) {
    invlog::config::AgentConfig configuration;
    configuration.region = "eu-central-1";
    configuration.upstream = "http://127.0.0.1:1";
    configuration.aws.sts_endpoint = sts;
    identity =
        std::make_unique<OwnIdentity>(configuration, credentials, environment_of({}), nullptr,
                                      std::unique_ptr<invlog::aws::HttpClient>(script));
  }

  TestKey credentials;
  std::shared_ptr<SigningKey> signing_key = std::make_shared<SigningKey>();
  ScriptedHttpClient* script;  // the identity's; gone if it may ask nobody
  std::unique_ptr<OwnIdentity> identity;
};

std::string account_in(const std::string& path) {
  return (*invlog::storage::Reader::open(path))->information().account_id;
}

std::int64_t events_in(const std::string& path, const std::string& kind) {
  const auto reader = invlog::storage::Reader::open(path);
  invlog::storage::Statement select((*reader)->connection(),
                                    "SELECT count(*) FROM event WHERE kind = ?1");
  select.bind_text(1, kind).step();
  return select.integer(0);
}

std::string new_store(const TemporaryDirectory& directory) {
  invlog::storage::WriterOptions options;
  options.path = directory.path() + "/eu-central-1.db";
  options.region = "eu-central-1";
  options.host = "test-host";
  options.agent_version = "test";
  invlog::storage::Writer writer(options);
  writer.stop();
  return options.path;
}

}  // namespace

TEST_CASE("who the agent is, is told once, on a thread of the watch") {
  IdentityWatchScene scene;
  scene.script->answer(200, identity_answer("123456789012", "arn:aws:iam::123456789012:user/x"));
  std::atomic<int> told{0};
  std::string arn;
  std::thread::id where;
  IdentityWatch watch(
      *scene.identity,
      [&](const invlog::aws::CallerIdentity& identity) {
        arn = identity.arn;
        where = std::this_thread::get_id();
        ++told;
      },
      scene.signing_key);
  CHECK(eventually([&] { return told == 1; }));
  watch.stop();
  CHECK(arn == "arn:aws:iam::123456789012:user/x");
  CHECK(where != std::this_thread::get_id());
  CHECK(told == 1);
  CHECK(scene.script->seen.size() == 1);
}

TEST_CASE("a watch asks again when calls are signed with another key, and not when with the same") {
  IdentityWatchScene scene;
  scene.script->answer(200, identity_answer("123456789012", "arn:aws:iam::123456789012:user/one"));
  scene.script->answer(200, identity_answer("123456789012", "arn:aws:iam::123456789012:user/two"));
  std::atomic<int> told{0};
  std::vector<invlog::aws::CallerIdentity> seen;
  IdentityWatch watch(
      *scene.identity,
      [&](const invlog::aws::CallerIdentity& identity) {
        seen.push_back(identity);
        ++told;
      },
      scene.signing_key);
  CHECK(eventually([&] { return told == 1; }));
  scene.signing_key->use("AKIDONE");
  scene.credentials.change("AKIDTWO");
  scene.signing_key->use("AKIDTWO");
  CHECK(eventually([&] { return told == 2; }));
  watch.stop();
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].access_key_id == "AKIDONE");
  CHECK(seen[0].arn == "arn:aws:iam::123456789012:user/one");
  CHECK(seen[1].access_key_id == "AKIDTWO");
  CHECK(seen[1].arn == "arn:aws:iam::123456789012:user/two");
  CHECK(scene.script->seen.size() == 2);
}

TEST_CASE("a watch asks again after a failure") {
  IdentityWatchScene scene;
  scene.script->fail(HttpFailure::Kind::resolve);
  scene.script->answer(200, identity_answer("123456789012", "arn:aws:iam::123456789012:user/x"));
  std::atomic<bool> told{false};
  const IdentityWatch watch(
      *scene.identity, [&](const invlog::aws::CallerIdentity&) { told = true; }, scene.signing_key);
  CHECK(eventually([&] { return told.load(); }));
}

TEST_CASE("a watch that has no answer stops at once") {
  IdentityWatchScene scene;
  std::atomic<bool> told{false};
  IdentityWatch watch(
      *scene.identity, [&told](const invlog::aws::CallerIdentity&) { told = true; },
      scene.signing_key);
  CHECK(eventually([&] { return !scene.identity->problem().empty(); }));
  const auto begin = std::chrono::steady_clock::now();
  watch.stop();
  watch.stop();
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(500));
  CHECK(!told);
}

TEST_CASE("a watch asks nobody where STS may not be asked") {
  IdentityWatchScene scene("");
  CHECK(scene.identity->endpoint().empty());
  std::atomic<bool> told{false};
  IdentityWatch watch(
      *scene.identity, [&told](const invlog::aws::CallerIdentity&) { told = true; },
      scene.signing_key);
  watch.stop();
  CHECK(!told);
}

TEST_CASE("an account that was not known at the store's birth is pinned, and then stays") {
  const TemporaryDirectory directory;
  const std::string path = new_store(directory);
  CHECK(account_in(path).empty());
  CHECK(pin_account(path, "123456789012").empty());
  CHECK(account_in(path) == "123456789012");
  CHECK(pin_account(path, "123456789012").empty());
  CHECK(events_in(path, "account-mismatch") == 0);
  const std::string problem = pin_account(path, "210987654321");
  CHECK(problem.find("of account 210987654321, but " + path) != std::string::npos);
  CHECK(account_in(path) == "123456789012");
  CHECK(events_in(path, "account-mismatch") == 1);
}

TEST_CASE("a store that cannot be opened keeps nobody from going on") {
  CHECK_NOTHROW(pin_account("/nonexistent/eu-central-1.db", "123456789012"));
  const TemporaryDirectory directory;
  CHECK_NOTHROW(pin_account(directory.write("x.db", "no store at all"), "123456789012"));
}

// What SIGHUP does to a running loop: hooks around it, one more for all signals that came
// meanwhile, and the old configuration for as long as the new one is bad.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <future>
#include <stdexcept>
#include <thread>

#include "agent/agent_reload.h"
#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/temporary_directory.h"

namespace invlog::test {
namespace {

class Reloaded {
 public:
  explicit Reloaded(const std::string& text)
      : reloader_(started(text)),
        reload_(
            agent.loop(), reloader_,
            [this](const char* kind, const std::string& details) {
              note(std::string(kind) + " " + details);
            },
            [this](const config::AgentConfig& configuration) {
              note("apply " + configuration.log_level);
              if (configuration.log_level == "trace")
                throw std::runtime_error("no room for it");
            }) {
    reload_.before = [this] { note("before"); };
    reload_.after = [this] { note("after"); };
  }

  void write(const std::string& text) {
    directory_.write("c.toml", "[agent]\nregion = \"eu-central-1\"\n" + text);
  }
  // So many signals at once; what was noted until the last of their reloads was over.
  std::vector<std::string> after_signals(int signals, std::ptrdiff_t reloads) {
    boost::asio::post(agent.loop().context(), [this, signals] {
      notes_.clear();
      for (int signal = 0; signal < signals; ++signal)
        reload_.reload();
    });
    for (int wait = 0; wait < 10'000; ++wait) {
      std::vector<std::string> noted = notes();
      if (std::count(noted.begin(), noted.end(), "after") >= reloads)
        return noted;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return {"too late"};
  }

  ScriptedUpstream upstream{ScriptedUpstream::echoing()};
  AgentFixture agent{AgentFixture::configuration(upstream.url())};

 private:
  config::ConfigReloader started(const std::string& text) {
    write(text);
    config::ConfigSources sources;
    sources.file = directory_.path() + "/c.toml";
    return {sources, config::load_config(sources)};
  }
  void note(const std::string& text) { notes_.push_back(text); }
  std::vector<std::string> notes() {
    std::promise<std::vector<std::string>> promise;
    boost::asio::post(agent.loop().context(), [&] { promise.set_value(notes_); });
    return promise.get_future().get();
  }

  tests::TemporaryDirectory directory_;
  config::ConfigReloader reloader_;
  std::vector<std::string> notes_;  // the loop's thread
  AgentReload reload_;
};

using Notes = std::vector<std::string>;

}  // namespace

TEST_CASE("A reload is announced, applied, noted and its end announced") {
  Reloaded reloaded("");
  reloaded.write("log_level = \"debug\"\nqueue_size = \"8MiB\"\n");
  const Notes applied{
      "before", "apply debug",
      R"(configuration-reloaded {"changed":["agent.log_level"],"needs_restart":["agent.queue_size"]})",
      "after"};
  CHECK(reloaded.after_signals(1, 1) == applied);
  reloaded.write("log_level = \"loud\"\n");
  const Notes refused = reloaded.after_signals(1, 1);
  REQUIRE(refused.size() == 3);
  CHECK(refused[1].find("configuration-refused {\"reason\":\"") == 0);
  CHECK(refused[1].find("c.toml:3:13: log_level: ") != std::string::npos);
  reloaded.write("log_level = \"debug\"\n");
  CHECK(reloaded.after_signals(1, 1) == Notes{"before", "after"});
}

TEST_CASE("What could not be put in force is tried again by the next reload") {
  Reloaded reloaded("");
  reloaded.write("log_level = \"trace\"\n");
  const Notes failed{"before", "apply trace",
                     R"(configuration-refused {"reason":"no room for it"})", "after"};
  CHECK(reloaded.after_signals(1, 1) == failed);
  CHECK(reloaded.after_signals(1, 1) == failed);
}

TEST_CASE("Signals that come during a reload make one more") {
  Reloaded reloaded("");
  CHECK(reloaded.after_signals(5, 2) == Notes{"before", "after", "before", "after"});
}

TEST_CASE("A reload changes the loop's own part, the policy") {
  Reloaded reloaded("[policy]\ndeny = [\"global\"]\n");
  reloaded.write("[policy]\ndeny = [\"in-region\"]\n");
  const auto noted = reloaded.after_signals(1, 1);
  REQUIRE(noted.size() == 4);
  CHECK(noted[2] == R"(configuration-reloaded {"changed":["policy.deny"],"needs_restart":[]})");
  LoopbackSocket client = reloaded.agent.connect();
  client.send(post("/model/amazon.nova-lite-v1%3A0/invoke", "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 403);
  CHECK(response.body.find("deny = \\\"in-region\\\"") != std::string::npos);
}

}  // namespace invlog::test

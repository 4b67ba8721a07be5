#include "agent/capture/name_lookup.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <set>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

// Name servers that answer for a name only once it was let through.
class SlowNames {
 public:
  NameLookup::Found look_up(const std::string& host, std::uint16_t port) {
    std::unique_lock lock(gate_);
    ++asked;
    changed_.wait(lock, [&] { return answered_.count(host) > 0; });
    if (host == "nowhere")
      return {"no such name", {}};
    return {"", {{asio::ip::make_address("192.0.2.1"), port}}};
  }
  void answer(const std::string& host) {
    const std::lock_guard lock(gate_);
    answered_.insert(host);
    changed_.notify_all();
  }
  std::atomic<int> asked{0};

 private:
  std::mutex gate_;
  std::condition_variable changed_;
  std::set<std::string> answered_;
};

struct NameLookupScene {
  // The threads may outlive the scene.
  std::shared_ptr<SlowNames> names = std::make_shared<SlowNames>();
  CoroutineLoop loop;
  NameLookup lookup{loop.executor(), 2,
                    [names = names](const std::string& host, std::uint16_t port) {
                      return names->look_up(host, port);
                    }};
  std::map<std::string, NameLookup::Found> found;

  ~NameLookupScene() {
    for (const char* host : {"one", "two", "three", "four", "nowhere"})
      names->answer(host);
  }
  std::uint64_t start(const std::string& host) {
    return lookup.start(host, 443,
                        [this, host](NameLookup::Found answer) { found[host] = answer; });
  }
  bool waits_for(std::size_t answers) {
    return loop.run_until([&] { return found.size() >= answers; });
  }
};

}  // namespace

TEST_CASE("A name that nobody answers for does not hold up another") {
  NameLookupScene scene;
  scene.start("one");
  scene.start("nowhere");
  scene.names->answer("nowhere");
  REQUIRE(scene.waits_for(1));
  CHECK(scene.found.at("nowhere").problem == "no such name");
  scene.start("two");
  scene.names->answer("two");
  REQUIRE(scene.waits_for(2));
  CHECK(scene.found.at("two").problem.empty());
  CHECK(scene.found.at("two").addresses.at(0).port() == 443);
  CHECK(scene.found.count("one") == 0);
}

TEST_CASE("Lookups beyond the limit wait for their turn, and one that is cancelled takes none") {
  NameLookupScene scene;
  scene.start("one");
  const std::uint64_t two = scene.start("two");
  REQUIRE(scene.loop.run_until([&] { return scene.names->asked == 2; }));
  const std::uint64_t three = scene.start("three");
  scene.start("four");
  scene.names->answer("four");
  scene.lookup.cancel(three);
  scene.lookup.cancel(two);  // which goes on, for nobody
  scene.names->answer("two");
  REQUIRE(scene.waits_for(1));
  CHECK(scene.found.count("four") == 1);
  CHECK(scene.names->asked == 3);
  scene.names->answer("one");
  REQUIRE(scene.waits_for(2));
  CHECK(scene.found.count("two") == 0);
}

TEST_CASE("The end does not wait for a lookup that is under way") {
  const auto names = std::make_shared<SlowNames>();
  bool answered = false;
  {
    CoroutineLoop loop;
    NameLookup lookup(loop.executor(), 1, [names](const std::string& host, std::uint16_t port) {
      return names->look_up(host, port);
    });
    lookup.start("one", 1, [&](NameLookup::Found) { answered = true; });
    REQUIRE(loop.run_until([&] { return names->asked == 1; }));
  }
  names->answer("one");
  CHECK_FALSE(answered);
}

TEST_CASE("The system's lookup finds this host, and says why it finds nothing") {
  const NameLookup::Found here = NameLookup::by_system("localhost", 4180);
  REQUIRE(here.problem.empty());
  CHECK(here.addresses.at(0).address().is_loopback());
  CHECK(here.addresses.at(0).port() == 4180);
  const NameLookup::Found nothing = NameLookup::by_system("a name with spaces", 1);
  CHECK_FALSE(nothing.problem.empty());
  CHECK(nothing.addresses.empty());
}

}  // namespace invlog::capture

#include "exporters/aws/cached_credentials.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

Credentials keys(const std::string& key,
                 std::optional<std::chrono::system_clock::time_point> expiration = {}) {
  Credentials made;
  made.access_key_id = key;
  made.secret_access_key = "secret-of-" + key;
  made.expiration = expiration;
  made.source = "source";
  return made;
}

struct Cache {
  CredentialScene scene;
  std::atomic<int> asked{0};
  std::function<ProvideResult()> answer;  // null: nothing
  std::unique_ptr<CredentialsProvider> cache;

  class Source final : public CredentialsProvider {
   public:
    explicit Source(Cache& owner) : owner_(owner) {}
    ProvideResult provide() override {
      ++owner_.asked;
      return owner_.answer ? owner_.answer() : ProvideResult(std::nullopt);
    }
    std::string name() const override { return "link"; }
    std::string why_nothing() const override { return "nobody is there"; }

   private:
    Cache& owner_;
  };

  explicit Cache(bool extend_expired = false)
      : cache(cached(std::make_unique<Source>(*this), scene.options(), extend_expired)) {}

  void give(const Credentials& credentials) {
    answer = [credentials] { return credentials; };
  }
  void fail(const std::string& error) {
    answer = [error]() -> ProvideResult { return tl::unexpected(error); };
  }
  std::string get() { return key_of(cache->provide()); }
};

}  // namespace

TEST_CASE("cached credentials that do not expire are fetched once") {
  Cache cache;
  cache.give(keys("A"));
  for (int call = 0; call < 5; ++call) {
    CHECK(cache.get() == "A");
    cache.scene.pass(24h);
  }
  CHECK(cache.asked == 1);
}

TEST_CASE("cached credentials are fetched anew from 15 minutes before they expire") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.give(keys("B", kNow + 2h));
  cache.scene.pass(45min - 1s);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 1);
  cache.scene.pass(1s);
  CHECK(cache.get() == "B");
  CHECK(cache.get() == "B");
  CHECK(cache.asked == 2);
}

TEST_CASE("a failed refresh keeps the old credentials, and is tried again after 1, 2, 4 ... 30 s") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.fail("STS is down");
  cache.scene.pass(45min);
  int expected = 1;
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s, 30s}) {
    CHECK(cache.get() == "A");
    CHECK(cache.asked == ++expected);
    cache.scene.pass(wait - 1ms);
    CHECK(cache.get() == "A");
    CHECK(cache.asked == expected);
    cache.scene.pass(1ms);
  }
  // A success ends the row: the next failure waits for a second again.
  cache.give(keys("B", cache.scene.now + 1h));
  CHECK(cache.get() == "B");
  cache.scene.pass(45min);
  cache.fail("STS is down");
  expected = cache.asked;
  CHECK(cache.get() == "B");
  cache.scene.pass(1s);
  CHECK(cache.get() == "B");
  CHECK(cache.asked == expected + 2);
}

TEST_CASE("hosts that started together refresh and retry apart, within bounds") {
  Cache cache;
  cache.scene.random = 0.999;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.scene.pass(45min + 2min);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 1);  // at random 0 it would have been asked by now
  cache.fail("STS is down");
  cache.scene.pass(30s);  // 12 minutes and a half before the end
  for (const auto half : {500ms, 1000ms, 2000ms, 4000ms, 8000ms, 15000ms, 15000ms}) {
    const int before = cache.asked;
    CHECK(cache.get() == "A");
    CHECK(cache.asked == before + 1);
    cache.scene.pass(half - 1ms);
    CHECK(cache.get() == "A");
    CHECK(cache.asked == before + 1);
    cache.scene.pass(half / 100 + 1ms);
  }
  // Credentials of short life, too, are refreshed before callers have to wait for it.
  Cache brief;
  brief.scene.random = 0.999;
  brief.give(keys("A", kNow + 1min));
  CHECK(brief.get() == "A");
  brief.scene.pass(30s);
  CHECK(brief.get() == "A");
  CHECK(brief.asked == 1);
  brief.scene.pass(5s);
  CHECK(brief.get() == "A");
  CHECK(brief.asked == 2);
}

TEST_CASE("after they expired, credentials are never given again") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.fail("STS is down");
  cache.scene.pass(1h - 1s);
  CHECK(cache.get() == "A");
  cache.scene.pass(1s);
  CHECK(cache.get() == "STS is down");
  CHECK(cache.get() == "STS is down");
  CHECK(cache.asked == 3);
  cache.give(keys("B", kNow + 3h));
  cache.scene.pass(2s);
  CHECK(cache.get() == "B");
}

TEST_CASE("a link that never answered fails at once within its back-off") {
  Cache cache;
  cache.fail("broken");
  for (int call = 0; call < 100; ++call) {
    CHECK(cache.get() == "broken");
  }
  CHECK(cache.asked == 1);
  cache.scene.pass(1s);
  CHECK(cache.get() == "broken");
  CHECK(cache.asked == 2);
}

TEST_CASE("a link that has nothing is asked once a minute, and says why") {
  Cache cache;
  CHECK(cache.cache->why_nothing() == "not asked yet");
  CHECK(cache.get() == "nothing");
  CHECK(cache.cache->why_nothing() == "nobody is there");
  cache.scene.pass(60s - 1ms);
  CHECK(cache.get() == "nothing");
  CHECK(cache.asked == 1);
  cache.scene.pass(1ms);
  cache.give(keys("A"));
  CHECK(cache.get() == "A");
}

TEST_CASE("a link that had credentials and has none any more keeps them until they expire") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.answer = nullptr;
  cache.scene.pass(50min);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 2);
  cache.scene.pass(10min);
  CHECK(cache.get() == "nothing");
}

TEST_CASE("credentials that live shorter than the windows are not fetched at every call") {
  Cache cache;
  cache.give(keys("A", kNow + 15min));
  CHECK(cache.get() == "A");
  cache.scene.pass(7min);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 1);
  cache.give(keys("B", kNow + 30min));
  cache.scene.pass(30s);
  CHECK(cache.get() == "B");
  CHECK(cache.asked == 2);
}

TEST_CASE("a source that gives the same credentials again is asked once a minute") {
  Cache cache;
  cache.give(keys("A", kNow + 6h));
  CHECK(cache.get() == "A");
  cache.scene.pass(5h + 45min);
  CHECK(cache.get() == "A");
  for (int second = 0; second < 59; ++second) {
    CHECK(cache.get() == "A");
    cache.scene.pass(1s);
  }
  CHECK(cache.asked == 2);
  cache.scene.pass(1s);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 3);
  // Up to the end: the wait shrinks, and the end itself is not waited out.
  cache.scene.pass(13min + 30s);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 4);
  cache.scene.pass(15s);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 5);
}

TEST_CASE("credentials that have expired when they are given are an error that names the clock") {
  Cache cache;
  cache.give(keys("A", kNow - 1s));
  const std::string error = cache.get();
  INFO(error);
  CHECK(contains(error, "link: "));
  CHECK(contains(error, "2025-12-31T23:59:59Z"));
  CHECK(contains(error, "2026-01-01T00:00:00Z"));
  CHECK(!contains(error, "secret"));
}

TEST_CASE("in an outage IMDS's expired keys are extended by 12 to 20 minutes") {
  for (const double random : {0.0, 0.999}) {
    Cache cache(true);
    cache.scene.random = random;
    cache.give(keys("A", kNow - 1min));
    const auto result = cache.cache->provide();
    REQUIRE(key_of(result) == "A");
    CHECK(*(*result)->expiration >= kNow + 12min);
    CHECK(*(*result)->expiration <= kNow + 20min);
    CHECK((random == 0.0 || *(*result)->expiration > kNow + 19min));
    CHECK(contains((*result)->source, "expired; used on"));
    CHECK(cache.asked == 1);
    CHECK(cache.get() == "A");
    CHECK(cache.asked == 1);
  }
}

TEST_CASE(
    "IMDS's keys are used on when it does not answer at their end, and replaced when it does") {
  Cache cache(true);
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.fail("IMDS is down");
  for (int minute = 0; minute < 180; ++minute) {
    cache.scene.pass(1min);
    CHECK(cache.get() == "A");
  }
  CHECK(cache.asked > 5);
  CHECK(cache.asked < 100);
  cache.give(keys("B", cache.scene.now + 6h));
  cache.scene.pass(20min);
  const auto result = cache.cache->provide();
  CHECK(key_of(result) == "B");
  CHECK((*result)->source == "source");
}

TEST_CASE("a role taken from the instance ends with its keys") {
  Cache cache(true);
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.answer = nullptr;
  cache.scene.pass(59min);
  CHECK(cache.get() == "A");
  cache.scene.pass(1min);
  CHECK(cache.get() == "nothing");
}

TEST_CASE("what a service refused is fetched anew, at most once in 5 seconds") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.give(keys("B", kNow + 1h));
  cache.cache->forget();
  CHECK(cache.get() == "A");
  cache.scene.pass(5s);
  CHECK(cache.get() == "B");
  CHECK(cache.get() == "B");
  CHECK(cache.asked == 2);

  // A service that refuses good keys a thousand times within a minute.
  const int before = cache.asked;
  for (int refusal = 0; refusal < 1000; ++refusal) {
    cache.cache->forget();
    CHECK(cache.get() == "B");
    cache.scene.pass(60ms);
  }
  CHECK(cache.asked - before <= 12);
  CHECK(cache.asked - before >= 10);
}

TEST_CASE("keys without an end are fetched anew too when a service refused them") {
  Cache cache;
  cache.give(keys("A"));
  CHECK(cache.get() == "A");
  cache.give(keys("B"));
  cache.scene.pass(1h);
  CHECK(cache.get() == "A");
  cache.cache->forget();
  CHECK(cache.get() == "B");
}

TEST_CASE("refused keys stay in use while no new ones can be had") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.fail("STS is down");
  cache.scene.pass(6s);
  cache.cache->forget();
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 2);
  cache.scene.pass(4s);
  CHECK(cache.get() == "A");
  CHECK(cache.asked == 2);
  cache.give(keys("B", kNow + 1h));
  cache.scene.pass(1s);
  CHECK(cache.get() == "B");
}

TEST_CASE("an exception of the source passes through, and the cache goes on") {
  Cache cache;
  cache.answer = []() -> ProvideResult { throw std::runtime_error("no memory"); };
  CHECK_THROWS_AS(cache.get(), std::runtime_error);
  cache.give(keys("A"));
  CHECK(cache.get() == "A");
}

namespace {

// A source that answers when the test lets it.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  int inside = 0;
  int most_inside = 0;
  bool open = false;

  void pass() {
    std::unique_lock lock(mutex);
    most_inside = std::max(most_inside, ++inside);
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
    --inside;
  }
  void wait_until_inside() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return inside > 0; });
  }
  void let_pass() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

}  // namespace

TEST_CASE("many threads without credentials make one fetch, and all get its result") {
  Cache cache;
  Gate gate;
  cache.answer = [&gate]() -> ProvideResult {
    gate.pass();
    return keys("A", kNow + 1h);
  };
  std::atomic<int> right{0};
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 16; ++thread) {
    threads.emplace_back([&] { right += cache.get() == "A"; });
  }
  gate.wait_until_inside();
  gate.let_pass();
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(right == 16);
  CHECK(cache.asked == 1);
  CHECK(gate.most_inside == 1);
}

TEST_CASE("while one caller refreshes early, the others go on with the old credentials") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.scene.pass(46min);
  Gate gate;
  cache.answer = [&gate]() -> ProvideResult {
    gate.pass();
    return keys("B", kNow + 2h);
  };
  std::string refresher_got;
  std::thread refresher([&] { refresher_got = cache.get(); });
  gate.wait_until_inside();
  for (int call = 0; call < 100; ++call) {
    CHECK(cache.get() == "A");  // would hang here if it waited
  }
  CHECK(cache.asked == 2);
  gate.let_pass();
  refresher.join();
  CHECK(refresher_got == "B");
  CHECK(cache.get() == "B");
}

TEST_CASE("shortly before the end callers wait for the one that fetches") {
  Cache cache;
  cache.give(keys("A", kNow + 1h));
  CHECK(cache.get() == "A");
  cache.scene.pass(51min);
  Gate gate;
  cache.answer = [&gate]() -> ProvideResult {
    gate.pass();
    return keys("B", kNow + 2h);
  };
  std::thread refresher([&] { cache.get(); });
  gate.wait_until_inside();
  std::atomic<bool> done{false};
  std::string waiter_got;
  std::thread waiter([&] {
    waiter_got = cache.get();
    done = true;
  });
  CHECK(!done);
  gate.let_pass();
  refresher.join();
  waiter.join();
  CHECK(waiter_got == "B");
  CHECK(cache.asked == 2);
}

TEST_CASE("threads that ask, forget and expire together never get expired keys or two fetches") {
  // The clock goes on by itself: each reading is 10 ms later than the one before.
  std::atomic<std::int64_t> ticks{0};
  std::atomic<int> inside{0}, together{0}, fetches{0}, expired{0};
  CredentialScene scene;
  ChainOptions options = scene.options();
  options.system_clock = [&] { return kNow + std::chrono::milliseconds(10 * ticks++); };
  options.steady_clock = [&] {
    return std::chrono::steady_clock::time_point(1h + std::chrono::milliseconds(10 * ticks++));
  };
  class Source final : public CredentialsProvider {
   public:
    explicit Source(std::function<ProvideResult()> answer) : answer_(std::move(answer)) {}
    ProvideResult provide() override { return answer_(); }

   private:
    const std::function<ProvideResult()> answer_;
  };
  const auto cache = cached(std::make_unique<Source>([&]() -> ProvideResult {
                              together += ++inside > 1;
                              const int number = ++fetches;
                              const auto expiration = options.system_clock() + 60s;
                              --inside;
                              if (number % 3 == 0) {
                                return tl::unexpected<std::string>("out of order");
                              }
                              return keys("K" + std::to_string(number), expiration);
                            }),
                            options);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int call = 0; call < 2000; ++call) {
        const auto before = kNow + std::chrono::milliseconds(10 * ticks.load());
        const auto result = cache->provide();
        if (result && *result) {
          expired += *(*result)->expiration <= before;
        }
        if (thread == 0 && call % 50 == 0) {
          cache->forget();
        }
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(together == 0);
  CHECK(expired == 0);
  CHECK(fetches > 3);
  CHECK(fetches < 2000);
}

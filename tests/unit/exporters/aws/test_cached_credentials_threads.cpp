#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "exporters/aws/cached_credentials.h"
#include "tests/catch.h"
#include "tests/unit/exporters/aws/cached_credentials_fixture.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

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

#include "agent/capture/credential_cache.h"

#include <atomic>
#include <mutex>
#include <utility>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

class CountingProvider : public aws::CredentialsProvider {
 public:
  aws::ProvideResult provide() override {
    const std::lock_guard lock(gate);
    ++asked;
    return result;
  }
  // Not while `gate` is held.
  void answer_with(aws::ProvideResult other) {
    const std::lock_guard lock(gate);
    result = std::move(other);
  }
  std::mutex gate;  // held: the provider does not answer
  std::atomic<int> asked{0};

 private:
  aws::ProvideResult result = std::optional<aws::Credentials>();
};

struct CredentialCacheScene {
  CountingProvider provider;
  CoroutineLoop loop;
  asio::thread_pool helper{1};
  std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  std::chrono::system_clock::time_point date{};
  CredentialCache cache{loop.executor(),
                        helper,
                        provider,
                        [this] { return now; },
                        [this] { return date; },
                        std::chrono::milliseconds(1)};
  ~CredentialCacheScene() { helper.join(); }

  aws::ProvideResult get() {
    const auto result = loop.start(cache.get());
    loop.run_until([&] { return result->has_value(); });
    return result->value();
  }
  void wait_until_asked(int times) {
    loop.run_until([&] { return provider.asked >= times; });
    asio::post(helper, [this] { asio::post(loop.executor(), [this] { ++settled; }); });
    const int before = settled;
    loop.run_until([&] { return settled > before; });
  }
  int settled = 0;
};

std::optional<aws::Credentials> credentials(const std::string& key) {
  aws::Credentials made;
  made.access_key_id = key;
  return made;
}

}  // namespace

TEST_CASE("Credentials are asked for once a second at most, and calls use the last answer") {
  CredentialCacheScene scene;
  scene.provider.answer_with(credentials("FIRST"));
  CHECK((*scene.get())->access_key_id == "FIRST");
  for (int call = 0; call < 10; ++call)
    CHECK((*scene.get())->access_key_id == "FIRST");
  CHECK(scene.provider.asked == 1);

  scene.provider.answer_with(credentials("SECOND"));
  scene.now += std::chrono::milliseconds(999);
  CHECK((*scene.get())->access_key_id == "FIRST");
  CHECK(scene.provider.asked == 1);
  scene.now += std::chrono::milliseconds(1);
  // The call that finds them a second old does not wait either.
  CHECK((*scene.get())->access_key_id == "FIRST");
  scene.wait_until_asked(2);
  CHECK((*scene.get())->access_key_id == "SECOND");
  CHECK(scene.provider.asked == 2);
}

TEST_CASE("While a provider is slow, calls with credentials go on, and those without wait for it") {
  CredentialCacheScene scene;
  scene.provider.answer_with(credentials("KEY"));
  std::unique_lock slow(scene.provider.gate);
  const auto first = scene.loop.start(scene.cache.get());
  const auto second = scene.loop.start(scene.cache.get());
  scene.loop.run();
  CHECK_FALSE(*first);
  CHECK_FALSE(*second);
  slow.unlock();
  CHECK(scene.loop.run_until([&] { return first->has_value() && second->has_value(); }));
  CHECK((**first).value()->access_key_id == "KEY");
  CHECK((**second).value()->access_key_id == "KEY");
  CHECK(scene.provider.asked == 1);

  scene.now += std::chrono::seconds(2);
  slow.lock();
  CHECK((*scene.get())->access_key_id == "KEY");
  slow.unlock();
}

TEST_CASE(
    "What expired while nobody called is not signed with: calls wait for what comes after it") {
  CredentialCacheScene scene;
  aws::ProvideResult expiring = credentials("OLD");
  (*expiring)->expiration = scene.date + std::chrono::hours(1);
  scene.provider.answer_with(std::move(expiring));
  CHECK((*scene.get())->access_key_id == "OLD");
  CHECK(scene.cache.problem().empty());

  scene.provider.answer_with(credentials("NEW"));
  scene.now += std::chrono::hours(2);
  scene.date += std::chrono::hours(2);
  CHECK(scene.cache.problem() == "they have expired");
  CHECK((*scene.get())->access_key_id == "NEW");
  CHECK(scene.cache.problem().empty());
}

TEST_CASE("The first call after a while waits a moment for keys that may have changed, no longer") {
  CredentialCacheScene scene;
  scene.provider.answer_with(credentials("OLD"));
  CHECK((*scene.get())->access_key_id == "OLD");
  scene.provider.answer_with(credentials("NEW"));
  scene.now += std::chrono::seconds(5);
  std::unique_lock slow(scene.provider.gate);
  const auto waiting = scene.loop.start(scene.cache.get());
  scene.loop.run_until([&] { return waiting->has_value(); });
  CHECK((**waiting).value()->access_key_id == "OLD");  // there is no news
  // That was waited for once: as long as the provider is at it, nobody else does.
  for (int second = 0; second < 20; ++second) {
    scene.now += std::chrono::seconds(1);
    const auto next = scene.loop.start(scene.cache.get());
    REQUIRE(next->has_value());
    CHECK((**next).value()->access_key_id == "OLD");
  }
  slow.unlock();
  scene.wait_until_asked(2);
  CHECK((*scene.get())->access_key_id == "NEW");

  scene.provider.answer_with(credentials("NEWEST"));
  scene.now += std::chrono::seconds(5);
  CredentialCache patient{scene.loop.executor(),
                          scene.helper,
                          scene.provider,
                          [&scene] { return scene.now; },
                          [&scene] { return scene.date; },
                          std::chrono::hours(1)};
  const auto first = scene.loop.start(patient.get());
  scene.loop.run_until([&] { return first->has_value(); });
  scene.provider.answer_with(credentials("LAST"));
  scene.now += std::chrono::seconds(5);
  const auto second = scene.loop.start(patient.get());
  scene.loop.run_until([&] { return second->has_value(); });
  CHECK((**second).value()->access_key_id == "LAST");
}

TEST_CASE("At a stop nobody waits for a provider, and what is known is given") {
  CredentialCacheScene scene;
  scene.provider.answer_with(credentials("KEY"));
  std::unique_lock slow(scene.provider.gate);
  const auto waiting = scene.loop.start(scene.cache.get());
  CHECK_FALSE(*waiting);
  scene.cache.stop_waiting();
  scene.loop.run();
  REQUIRE(*waiting);
  CHECK_FALSE((**waiting)->has_value());
  CHECK(scene.loop.start(scene.cache.get())->has_value());
  slow.unlock();
  CHECK(scene.loop.run_until([&] { return (*scene.get()).has_value(); }));
}

TEST_CASE("No credentials, and an error, are given as they are, and asked for again") {
  CredentialCacheScene scene;
  CHECK_FALSE(scene.get()->has_value());
  scene.provider.answer_with(tl::unexpected(aws::CredentialsError("~/.aws/credentials:3: no key")));
  scene.now += std::chrono::seconds(1);
  const aws::ProvideResult broken = scene.get();
  REQUIRE_FALSE(broken);
  CHECK(broken.error().message == "~/.aws/credentials:3: no key");
  scene.provider.answer_with(credentials("KEY"));
  CHECK_FALSE(scene.get());  // within the same second
  scene.now += std::chrono::seconds(1);
  CHECK((*scene.get())->access_key_id == "KEY");
}

TEST_CASE("Whether calls can be signed is said without waiting for the provider") {
  CredentialCacheScene scene;
  std::unique_lock slow(scene.provider.gate);
  CHECK(scene.cache.problem() == "not known yet");
  slow.unlock();
  scene.wait_until_asked(1);
  CHECK(scene.cache.problem() == "there are none");
  scene.provider.answer_with(tl::unexpected(aws::CredentialsError("~/.aws/credentials:3: no key")));
  scene.now += std::chrono::seconds(1);
  CHECK(scene.cache.problem() == "there are none");  // asks, and says what is known
  scene.wait_until_asked(2);
  CHECK(scene.cache.problem() == "~/.aws/credentials:3: no key");
  scene.provider.answer_with(credentials("KEY"));
  scene.now += std::chrono::seconds(1);
  scene.cache.problem();
  scene.wait_until_asked(3);
  CHECK(scene.cache.problem().empty());
  CHECK(scene.provider.asked == 3);
}

}  // namespace invlog::capture

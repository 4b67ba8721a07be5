#include "agent/capture/caller_names.h"

#include <atomic>
#include <cerrno>
#include <future>
#include <utility>

#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

constexpr std::chrono::milliseconds kShort{20}, kForever{60'000};

// What the directory says is set between the look-ups, never while one is under way.
struct Asked {
  explicit Asked(std::chrono::milliseconds patience = kForever)
      : names(
            loop.executor(), helper,
            [this](std::uint32_t) {
              ++count;
              if (blocks)
                opened.get_future().wait();
              return answer;
            },
            [this] { return now; }, patience) {}
  ~Asked() { helper.join(); }

  std::optional<std::string> of(std::uint32_t uid) {
    Event woken;
    const auto found = loop.start(names.of(uid, woken));
    REQUIRE(loop.run_until([&] { return found->has_value(); }));
    return **found;
  }

  CoroutineLoop loop;
  boost::asio::thread_pool helper{1};
  CallerNames::Time now;
  std::atomic<int> count{0};
  UserName answer = std::optional<std::string>();
  std::atomic<bool> blocks{false};
  std::promise<void> opened;
  CallerNames names;
};

}  // namespace

TEST_CASE("The system knows root's name, and none of a user that is not there") {
  CHECK(name_of_user(0).value() == "root");
  CHECK_FALSE(name_of_user(4294967000U).value());
}

TEST_CASE("A name is kept for a minute, that there is none for a second") {
  Asked asked;
  CHECK(asked.of(4711) == "4711");
  asked.answer = std::optional<std::string>("ci-7");
  CHECK(asked.of(4711) == "4711");
  CHECK(asked.count == 1);
  asked.now += seconds(1);
  CHECK(asked.of(4711) == "ci-7");
  asked.now += seconds(59);
  CHECK(asked.of(4711) == "ci-7");
  CHECK(asked.count == 2);
}

TEST_CASE("An old name is nobody's any more: it is asked for anew, and waited for") {
  Asked asked;
  asked.answer = std::optional<std::string>("ci-7");
  CHECK(asked.of(4711) == "ci-7");
  asked.answer = std::optional<std::string>("bob");
  asked.now += seconds(60);
  CHECK(asked.of(4711) == "bob");
  CHECK(asked.count == 2);
}

TEST_CASE("While nobody can be asked a known name stands, and no other is made up") {
  Asked asked;
  asked.answer = tl::unexpected(EIO);
  CHECK_FALSE(asked.of(4711));
  asked.answer = std::optional<std::string>("ci-7");
  CHECK_FALSE(asked.of(4711));
  asked.now += seconds(1);
  CHECK(asked.of(4711) == "ci-7");
  asked.answer = tl::unexpected(EIO);
  asked.now += seconds(660);
  CHECK(asked.of(4711) == "ci-7");
  CHECK(asked.count == 3);
}

TEST_CASE("More users than are kept are all named") {
  Asked asked;
  for (std::uint32_t uid = 1000; uid < 1600; ++uid)
    REQUIRE(asked.of(uid) == std::to_string(uid));
}

TEST_CASE("A name that does not come is waited for once, and used when it has come") {
  Asked asked(kShort);
  asked.blocks = true;
  CHECK_FALSE(asked.of(4711));
  // No second look-up, and nothing to wait for: all of it is done in one go.
  Event woken;
  const auto second = asked.loop.start(asked.names.of(4711, woken));
  CHECK(second->has_value());
  CHECK(asked.count == 1);
  // What took so long is left alone for longer.
  asked.now += seconds(4);
  asked.answer = tl::unexpected(EIO);
  asked.blocks = false;
  asked.opened.set_value();
  asked.helper.join();
  asked.loop.run();
  asked.now += seconds(39);
  CHECK_FALSE(asked.of(4711));
  CHECK(asked.count == 1);
}

TEST_CASE("A known name is used where nobody answers in time") {
  Asked asked(kShort);
  asked.answer = std::optional<std::string>("ci-7");
  CHECK(asked.of(4711) == "ci-7");
  asked.now += seconds(60);
  asked.blocks = true;
  CHECK(asked.of(4711) == "ci-7");
  CHECK(asked.count == 2);
  asked.opened.set_value();
}

TEST_CASE("Whoever leaves does not wait for a name") {
  Asked asked;
  asked.blocks = true;
  Event left, stays;
  const auto gone = asked.loop.start(asked.names.of(4711, left));
  const auto there = asked.loop.start(asked.names.of(4711, stays));
  CHECK_FALSE(gone->has_value());
  left.set();
  asked.loop.run();
  CHECK(gone->has_value());
  CHECK_FALSE(there->has_value());
  asked.answer = std::optional<std::string>("ci-7");
  asked.opened.set_value();
  REQUIRE(asked.loop.run_until([&] { return there->has_value(); }));
  CHECK(**there == "ci-7");
}

}  // namespace invlog::capture

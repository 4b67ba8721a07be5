#include "exporters/aws/cached_credentials.h"

#include <chrono>
#include <stdexcept>
#include <string>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/cached_credentials_fixture.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

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

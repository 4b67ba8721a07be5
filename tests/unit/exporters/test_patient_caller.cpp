#include "exporters/patient_caller.h"

#include <tl/expected.hpp>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/fake_destination.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using std::chrono::milliseconds;
using Result = tl::expected<int, aws::ServiceFailure>;

// A clock that only waiting moves.
struct Scene {
  CallTimes times() {
    CallTimes times;
    times.now = [this] { return now; };
    times.wait = [this](milliseconds pause) {
      waits.push_back(pause);
      now += pause;
      return patient;
    };
    times.random = [] { return 0.0; };
    return times;
  }
  // Fails so often before it succeeds.
  Result attempt(int failures, FailureKind kind) {
    return ++attempts > failures ? Result(attempts) : tl::unexpected(failure_with(kind));
  }

  std::chrono::steady_clock::time_point now{};
  std::vector<milliseconds> waits;
  bool patient = true;
  int attempts = 0;
};

TEST_CASE("What passes by itself is tried again, a few times") {
  Scene scene;
  PatientCaller caller(scene.times(), milliseconds(0), 4);
  SECTION("until it succeeds") {
    CHECK(caller.call([&] { return scene.attempt(3, FailureKind::throttled); }) == 4);
    CHECK(scene.waits.size() == 3);
  }
  SECTION("until it was enough") {
    CHECK_FALSE(caller.call([&] { return scene.attempt(9, FailureKind::transient); }));
    CHECK(scene.attempts == 4);
  }
  SECTION("until nobody waits for it") {
    scene.patient = false;
    CHECK_FALSE(caller.call([&] { return scene.attempt(9, FailureKind::transient); }));
    CHECK(scene.attempts == 1);
  }
  SECTION("and nothing else is") {
    CHECK_FALSE(caller.call([&] { return scene.attempt(9, FailureKind::denied); }));
    CHECK(scene.attempts == 1);
  }
}

TEST_CASE("Each wait is told of before it begins, and an end is not") {
  Scene scene;
  CallTimes times = scene.times();
  std::vector<std::size_t> waits_before;
  times.told = [&](const aws::ServiceFailure& failure) {
    CHECK(failure.kind == FailureKind::transient);
    waits_before.push_back(scene.waits.size());
  };
  PatientCaller caller(times, milliseconds(0), 3);
  CHECK_FALSE(caller.call([&] { return scene.attempt(9, FailureKind::transient); }));
  CHECK(waits_before == std::vector<std::size_t>{0, 1});
}

TEST_CASE("Where nothing can wait there is one attempt") {
  Scene scene;
  PatientCaller caller({}, milliseconds(0));
  CHECK_FALSE(caller.call([&] { return scene.attempt(9, FailureKind::transient); }));
  CHECK(scene.attempts == 1);
}

TEST_CASE("Calls begin at a pace") {
  Scene scene;
  PatientCaller caller(scene.times(), milliseconds(500));
  for (int call = 0; call < 3; ++call) {
    CHECK(caller.call([&] { return scene.attempt(0, FailureKind::denied); }));
    scene.now += milliseconds(100);
  }
  CHECK(scene.waits == std::vector<milliseconds>(2, milliseconds(400)));
}

TEST_CASE("The system's waiting ends at once when it is cancelled") {
  const std::atomic<bool> cancelled{true};
  const CallTimes times = system_call_times(&cancelled);
  CHECK_FALSE(times.wait(std::chrono::hours(1)));
  CHECK(system_call_times(nullptr).wait(milliseconds(0)));
}

}  // namespace
}  // namespace invlog::exporters

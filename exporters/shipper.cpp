#include "exporters/shipper.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <random>
#include <utility>

#include "exporters/delivery_turn.h"
#include "exporters/drain.h"

namespace invlog::exporters {
namespace {

using std::chrono::milliseconds;
using Kind = TurnResult::Kind;

// Capture goes first: on a busy host it has ten times this thread's share.
constexpr int kNiceness = 10;
// A turn that says "again" has changed something; so many in a row without an attempt are a fault,
// and must not become a busy loop.
constexpr int kMostAgain = 64;

std::int64_t system_now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::function<double()> random_source() {
  auto engine = std::make_shared<std::mt19937_64>(std::random_device{}());
  return [engine] { return std::uniform_real_distribution<double>(0.0, 1.0)(*engine); };
}

ShipperOptions with_defaults(ShipperOptions options) {
  if (!options.clock) {
    options.clock = system_now_us;
  }
  if (!options.steady) {
    options.steady = std::chrono::steady_clock::now;
  }
  if (!options.random) {
    options.random = random_source();
  }
  options.poll = std::max(options.poll, milliseconds(1));
  return options;
}

void lower_priority() {
  const auto thread = static_cast<id_t>(::gettid());
  const int now = ::getpriority(PRIO_PROCESS, thread);
  // Not being allowed to is no reason not to deliver.
  static_cast<void>(::setpriority(PRIO_PROCESS, thread, now + kNiceness));
}

}  // namespace

class Shipper::Implementation {
 public:
  Implementation(ShipperOptions options, Destination& destination)
      : options_(with_defaults(std::move(options))),
        turn_(options_, destination, [this] { return stopping_.load(); }) {}

  void run() {
    if (!options_.wait) {  // else the thread is a test's own, which has more to do
      lower_priority();
    }
    while (!stopping_) {
      const TurnResult result = turn_.take(std::nullopt);
      if (const milliseconds pause = pause_after(result); pause.count() > 0 && !wait(pause)) {
        return;
      }
    }
  }

  DrainResult drain(const std::function<void(const DrainProgress&)>& progress,
                    milliseconds give_up_after) {
    Drain drain(turn_, {options_.steady, [this](milliseconds pause) { return wait(pause); },
                        [this](const TurnResult& result) { return pause_after(result); },
                        [this] { return stopping_.load(); }, progress});
    return drain.run(give_up_after);
  }

  void stop() {
    {
      const std::lock_guard guard(mutex_);
      stopping_ = true;
    }
    stopped_.notify_all();
  }

 private:
  // Zero: the next turn is due now.
  milliseconds pause_after(const TurnResult& result) {
    agains_ = result.kind == Kind::again ? agains_ + 1 : 0;
    switch (result.kind) {
      case Kind::delivered:
        return result.pause;
      case Kind::again:
        return agains_ > kMostAgain ? options_.poll : milliseconds(0);
      case Kind::collecting:
      case Kind::failed:
      case Kind::locked:
        return std::max(result.pause, milliseconds(1));
      case Kind::idle:
      case Kind::stopped:
        break;
    }
    return options_.poll;
  }

  // False: stopped.
  bool wait(milliseconds duration) {
    bool goes_on = false;
    if (options_.wait) {
      goes_on = options_.wait(duration) && !stopping_;
    } else {
      std::unique_lock lock(mutex_);
      goes_on = !stopped_.wait_for(lock, duration, [this] { return stopping_.load(); });
    }
    turn_.waited(duration);
    return goes_on;
  }

  const ShipperOptions options_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::atomic<bool> stopping_{false};
  DeliveryTurn turn_;
  int agains_ = 0;
};

Shipper::Shipper(ShipperOptions options, Destination& destination)
    : implementation_(std::make_unique<Implementation>(std::move(options), destination)) {}

Shipper::~Shipper() = default;

void Shipper::run() {
  implementation_->run();
}

DrainResult Shipper::drain(const std::function<void(const DrainProgress&)>& progress,
                           milliseconds give_up_after) {
  return implementation_->drain(progress, give_up_after);
}

void Shipper::stop() {
  implementation_->stop();
}

}  // namespace invlog::exporters

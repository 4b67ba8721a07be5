// Takes turns until everything that was in the store at the start is through (`invlog ship
// --once`), and says how far it is.
//
// Threads: one, its Shipper's. Ownership: the turns must outlive it. Errors: in the
// result, beside what was done until then.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "exporters/delivery_turn.h"
#include "exporters/shipper.h"

namespace invlog::exporters {

class Drain {
 public:
  struct Surroundings {
    std::function<std::chrono::steady_clock::time_point()> now;
    std::function<bool(std::chrono::milliseconds)> wait;  // false: stopped
    // Between turns; 0: at once.
    std::function<std::chrono::milliseconds(const TurnResult&)> pause_after;
    std::function<bool()> stopped;  // by somebody, not by the time that is over
    std::function<void(const DrainProgress&)> progress;
  };

  Drain(DeliveryTurn& turn, Surroundings surroundings);

  // As Shipper::drain().
  DrainResult run(std::chrono::milliseconds give_up_after);

 private:
  void start();
  std::string take_turns(std::chrono::milliseconds give_up_after);
  std::string given_up(std::chrono::milliseconds after, const std::string& cancelled) const;
  void count(const TurnResult& result);
  std::int64_t left();
  void say(const std::string& waiting_for);
  std::string stopped() const;

  DeliveryTurn& turn_;
  const Surroundings surroundings_;
  std::int64_t until_ = 0;
  bool shared_ = false;  // another process delivers, too
  DrainProgress progress_;
  DrainResult result_;
};

}  // namespace invlog::exporters

// Deadlines for calls in flight, checked all together at a coarse tick.
//
// Why not a timer per operation: re-arming one for every read and write costs a heap operation and
// often a system call, on the path of every byte; a deadline of seconds does not need microseconds.
// arm() here is two stores. A deadline fires up to one tick late, never early.
//
// Thread: the I/O thread only. Ownership: the Watchdog must outlive its Deadlines.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <utility>

namespace invlog::capture {

class Watchdog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // `now`: the time at construction.
  explicit Watchdog(Time now) : now_(now) {}

  // To be called regularly; runs what has expired (a callback may arm again, and may destroy any
  // Deadline but its own).
  void tick(Time now);
  // Calls every armed or idle Deadline's callback: how a stop cuts what is left.
  void expire_all();
  // The last tick's time.
  Time now() const { return now_; }
  std::size_t size() const { return deadlines_.size(); }

  class Deadline {
   public:
    Deadline(Watchdog& watchdog, std::function<void()> expired);
    ~Deadline();
    Deadline(const Deadline&) = delete;
    Deadline& operator=(const Deadline&) = delete;
    // From the last tick on; so up to one tick less than `after` may pass: round up by the tick's
    // length.
    void arm(std::chrono::milliseconds after) { at_ = watchdog_.now_ + after + watchdog_.tick_; }
    void disarm() { at_ = Time::max(); }

   private:
    friend class Watchdog;
    Watchdog& watchdog_;
    std::function<void()> expired_;
    Time at_ = Time::max();
    std::list<Deadline*>::iterator place_;
  };

  // The time between ticks, which arm() adds. Default 1 s.
  void set_tick(std::chrono::milliseconds tick) { tick_ = tick; }
  std::chrono::milliseconds tick_length() const { return tick_; }

 private:
  template <class Chosen>
  void run(Chosen chosen);

  Time now_;
  std::chrono::milliseconds tick_{1000};
  std::list<Deadline*> deadlines_;
};

}  // namespace invlog::capture

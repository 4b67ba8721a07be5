// Bounds what all bodies in flight hold together, whatever each alone may hold.
//
// Request bodies wait for room before they are read (a body alone is always let in, so nothing
// waits forever; small ones are, too); the copy of a response takes what is left, or a little
// beyond it, and is marked truncated from there on.
// While one waits, bodies that are slow to arrive are cut: a client that announces much and sends
// little must not hold up the others.
// Thread: the I/O thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <utility>

#include "agent/capture/event.h"

namespace invlog::capture {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  using Time = std::chrono::steady_clock::time_point;

  // A body that is arriving, since when it is allowed to.
  class Arriving {
   public:
    // `cut` ends the body's connection or stream; called at most once, from cut_slow().
    Arriving(MemoryBudget& budget, Time since, std::function<void()> cut)
        : budget_(budget), since_(since), cut_(std::move(cut)) {
      place_ = budget_.arriving_.insert(budget_.arriving_.end(), this);
    }
    ~Arriving() { budget_.arriving_.erase(place_); }
    Arriving(const Arriving&) = delete;
    Arriving& operator=(const Arriving&) = delete;
    bool was_cut() const { return was_cut_; }

   private:
    friend class MemoryBudget;
    MemoryBudget& budget_;
    Time since_;
    std::function<void()> cut_;
    bool was_cut_ = false;
    std::list<Arriving*>::iterator place_;
  };

  // Waits until `bytes` more fit, or nobody but the one who asks holds any (`own`, bytes), or
  // `arriving` was cut; then takes them.
  Task<void> take_when_room(std::uint64_t bytes, std::uint64_t own = 0,
                            const Arriving* arriving = nullptr) {
    while (used_ != own && used_ + bytes > limit_ &&
           !(arriving != nullptr && arriving->was_cut())) {
      Event room;
      waiting_.push_back(&room);
      co_await room.wait();
    }
    used_ += bytes;
  }
  void take(std::uint64_t bytes) { used_ += bytes; }
  // Takes a little beyond the limit, up to twice of it; false: not even there is room.
  bool take_beyond(std::uint64_t bytes) {
    if (used_ + bytes > 2 * limit_)
      return false;
    used_ += bytes;
    return true;
  }
  // As many of `bytes` as there is room for; takes them.
  std::uint64_t take_up_to(std::uint64_t bytes) {
    const std::uint64_t room = used_ < limit_ ? limit_ - used_ : 0;
    const std::uint64_t taken = bytes < room ? bytes : room;
    used_ += taken;
    return taken;
  }
  void give_back(std::uint64_t bytes) {
    used_ -= bytes;
    wake_waiting();
  }
  // Once a tick: if somebody waits, cuts what has been arriving for longer than `limit`; how many.
  std::size_t cut_slow(Time now, std::chrono::milliseconds limit) {
    if (waiting_.empty())
      return 0;
    std::size_t cut = 0;
    for (Arriving* arriving : arriving_) {
      if (arriving->was_cut_ || now - arriving->since_ <= limit)
        continue;
      arriving->was_cut_ = true;
      ++cut;
      arriving->cut_();
    }
    if (cut > 0)
      wake_waiting();
    return cut;
  }
  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

 private:
  void wake_waiting() {
    // All look again: a small body may pass a large one that still has to wait.
    for (Event* waiting : std::exchange(waiting_, {}))
      waiting->set();
  }

  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::list<Event*> waiting_;
  std::list<Arriving*> arriving_;
};

}  // namespace invlog::capture

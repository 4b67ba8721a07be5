// Bounds what all bodies in flight hold together, whatever each alone may hold. Requests have one,
// the copies of responses another: what is only copied must not hold up what is to be sent.
//
// Request bodies wait for room before they are read (a body alone is always let in, and of those
// that hold a part and wait for more, the oldest is once no other holder gets on: nothing waits
// forever; small ones are let in, too). A copy takes what is left, or a little beyond it, and is
// marked truncated from there on.
// While one waits, bodies that are slow to arrive are cut: a client that announces much and sends
// little must not hold up the others. Who waits for room is not slow.
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
    mutable bool waits_ = false;  // for room
    std::list<Arriving*>::iterator place_;
  };

  // Waits until `bytes` more fit, or nobody but the one who asks holds any (`own`, bytes), or all
  // who hold any wait and the one who asks has done so longest, or `arriving` was cut; then takes
  // them.
  Task<void> take_when_room(std::uint64_t bytes, std::uint64_t own = 0,
                            const Arriving* arriving = nullptr) {
    if (used_ != own && used_ + bytes > limit_) {
      Waiter waiter(*this, own, arriving);
      while (used_ != own && used_ + bytes > limit_ && !waiter.was_cut() && !waiter.is_next())
        co_await waiter.room.wait();
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
      if (arriving->was_cut_ || arriving->waits_ || now - arriving->since_ <= limit)
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
  // Somebody in take_when_room().
  struct Waiter {
    Waiter(MemoryBudget& all, std::uint64_t held, const Arriving* body)
        : budget(all), own(held), arriving(body) {
      place = budget.waiting_.insert(budget.waiting_.end(), this);
      budget.held_by_waiting_ += own;
      if (arriving != nullptr)
        arriving->waits_ = true;
      // With this one, perhaps nobody gets on.
      budget.wake_waiting();
      room.clear();
    }
    ~Waiter() {
      budget.waiting_.erase(place);
      budget.held_by_waiting_ -= own;
      if (arriving != nullptr)
        arriving->waits_ = false;
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    bool was_cut() const { return arriving != nullptr && arriving->was_cut(); }
    bool is_next() const {
      if (own == 0 || budget.held_by_waiting_ < budget.used_)
        return false;
      for (const Waiter* other : budget.waiting_) {
        if (other->own > 0)
          return other == this;
      }
      return false;
    }

    MemoryBudget& budget;
    const std::uint64_t own;
    const Arriving* arriving;
    Event room;
    std::list<Waiter*>::iterator place;
  };

  // All look again: a small body may pass a large one that still has to wait.
  void wake_waiting() {
    for (Waiter* waiting : waiting_)
      waiting->room.set();
  }

  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::uint64_t held_by_waiting_ = 0;
  std::list<Waiter*> waiting_;  // who has waited longest, first
  std::list<Arriving*> arriving_;
};

}  // namespace invlog::capture

// Bounds what all bodies in flight hold together, whatever each alone may hold. Small request
// bodies have one, large ones another, the copies of responses a third: none must hold up another
// kind, and what is only copied nothing that is to be sent.
//
// A body is charged for what has arrived of it, not for what was announced: it costs memory to take
// memory away. One that grows waits for room for its next part. Whose body began first has the
// first claim; others pass it while there is room for them and not for it, but no more once it has
// waited for kPatience. A body alone is always let in, and when all who hold a part wait for more,
// the oldest of them is: always the same one until it is through, so that only it goes beyond the
// limit. Nothing waits forever. A copy takes what is left, or a little beyond it, and is marked
// truncated from there on.
// While one waits, bodies that are slow to arrive are cut: a client that sends much and stops must
// not hold up the others. Who waits for room is not slow, and has its time anew after that.
//
// Thread: the I/O thread. Ownership: the budget must outlive all that arrives. Errors: none.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>

#include "agent/capture/event.h"

namespace invlog::capture {

class MemoryBudget {
  struct Waiter;

 public:
  // From tick to tick; so up to a tick more.
  static constexpr std::chrono::seconds kPatience{5};

  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  using Time = std::chrono::steady_clock::time_point;

  // A body that is arriving, since when it is allowed to.
  class Arriving {
   public:
    // `cut` ends the body's connection or stream; called at most once, from tick().
    Arriving(MemoryBudget& budget, Time since, std::function<void()> cut);
    ~Arriving() { budget_.arriving_.erase(place_); }
    Arriving(const Arriving&) = delete;
    Arriving& operator=(const Arriving&) = delete;
    bool was_cut() const { return was_cut_; }
    // Ends its take_when_room(), if one waits: nobody needs the body any more.
    void stop_waiting();

   private:
    friend class MemoryBudget;
    MemoryBudget& budget_;
    const std::uint64_t number_;  // the smaller, the older
    Time since_;
    std::function<void()> cut_;
    bool was_cut_ = false;
    Waiter* waiter_ = nullptr;  // if it waits for room
    std::list<Arriving*>::iterator place_;
  };

  // Takes `bytes` more for who holds `own` of them already, where it need not wait for that: they
  // fit, or nobody else holds any, and nobody who must not be passed waits.
  bool take_at_once(std::uint64_t bytes, std::uint64_t own = 0, const Arriving* arriving = nullptr);
  // The same with waiting. False: it was told to stop, and has taken nothing.
  Task<bool> take_when_room(std::uint64_t bytes, std::uint64_t own = 0,
                            Arriving* arriving = nullptr);
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
    if (!waiting_.empty())
      let_in();
  }

  struct Ticked {
    std::size_t cut = 0;              // bodies
    std::size_t out_of_patience = 0;  // those that have waited for kPatience now
  };
  // To be called regularly: if somebody waits, cuts what has been arriving for longer than `limit`.
  Ticked tick(Time now, std::chrono::milliseconds limit);
  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

 private:
  // Somebody in take_when_room().
  struct Waiter {
    Waiter(MemoryBudget& budget, std::uint64_t bytes, std::uint64_t own, Arriving* arriving);
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    MemoryBudget& budget;
    const std::uint64_t bytes, own;
    Arriving* const arriving;
    const std::uint64_t number;
    std::optional<Time> since;  // the first tick that found it
    bool impatient = false;     // no younger one may pass it
    bool waits = true;          // it has its place among those that wait
    bool admitted = false;
    Event over;
    std::list<Waiter*>::iterator place;
  };

  bool fits(std::uint64_t bytes, std::uint64_t own) const {
    return used_ == own || used_ + bytes <= limit_;
  }
  void let_in();  // who can be
  void let_in(Waiter& waiter);
  void remove(Waiter& waiter);

  const std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::uint64_t held_by_waiting_ = 0;
  std::uint64_t next_number_ = 0;
  std::list<Waiter*> waiting_;  // whose body is oldest, first
  std::list<Arriving*> arriving_;
};

}  // namespace invlog::capture

// Bounds what all bodies in flight hold together, whatever each alone may hold.
//
// Request bodies wait for room before they are read (a body alone is always let in, so nothing
// waits forever); the copy of a response takes what is left and is marked truncated beyond that.
// Thread: the I/O thread.
#pragma once

#include <cstdint>
#include <list>

#include "agent/capture/event.h"

namespace invlog::capture {

class MemoryBudget {
 public:
  explicit MemoryBudget(std::uint64_t limit) : limit_(limit) {}

  // Waits until `bytes` more fit, or nobody holds any, then takes them.
  Task<void> take_when_room(std::uint64_t bytes) {
    while (used_ != 0 && used_ + bytes > limit_) {
      Event room;
      waiting_.push_back(&room);
      co_await room.wait();
    }
    used_ += bytes;
  }
  void take(std::uint64_t bytes) { used_ += bytes; }
  // As many of `bytes` as there is room for; takes them.
  std::uint64_t take_up_to(std::uint64_t bytes) {
    const std::uint64_t room = used_ < limit_ ? limit_ - used_ : 0;
    const std::uint64_t taken = bytes < room ? bytes : room;
    used_ += taken;
    return taken;
  }
  void give_back(std::uint64_t bytes) {
    used_ -= bytes;
    // All look again: a small body may pass a large one that still has to wait.
    for (Event* waiting : std::exchange(waiting_, {}))
      waiting->set();
  }
  std::uint64_t used() const { return used_; }
  std::uint64_t limit() const { return limit_; }

 private:
  std::uint64_t limit_;
  std::uint64_t used_ = 0;
  std::list<Event*> waiting_;
};

}  // namespace invlog::capture

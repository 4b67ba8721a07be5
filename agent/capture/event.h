// Lets one coroutine wait until something else on the same thread happened: a read that is shared,
// a committed record, room in the queue.
//
// Why not a timer or a channel of Asio: neither is free of a timer queue or of a buffer per use,
// and this is on the path of every call. Thread: the I/O thread only. At most one coroutine waits
// at a time. A set() before the wait() is kept.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <utility>

#include "agent/capture/asio_types.h"

namespace invlog::capture {

class Event {
 public:
  // Wakes the waiting coroutine (from the loop, not from inside this call), or lets the next wait()
  // return at once.
  void set() {
    set_ = true;
    if (waiter_)
      std::exchange(waiter_, nullptr)->resume();
  }
  void clear() { set_ = false; }

  // Returns after set(), and consumes it.
  Task<void> wait() {
    if (!set_) {
      co_await asio::async_initiate<const UseTask, void()>(
          [this](auto handler) {
            waiter_ = std::make_unique<HandlerWaiter<decltype(handler)>>(std::move(handler));
          },
          use_task);
    }
    set_ = false;
  }

 private:
  struct Waiter {
    virtual ~Waiter() = default;
    virtual void resume() = 0;
  };
  template <class Handler>
  struct HandlerWaiter : Waiter {
    explicit HandlerWaiter(Handler&& given) : handler(std::move(given)) {}
    void resume() override { asio::post(std::move(handler)); }
    Handler handler;
  };

  std::unique_ptr<Waiter> waiter_;
  bool set_ = false;
};

}  // namespace invlog::capture

// Runs the coroutines of a test on a loop of its own, as far as they get without waiting for time.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <memory>
#include <optional>

#include "agent/capture/asio_types.h"

namespace invlog::capture {

class CoroutineLoop {
 public:
  // Starts `task`; its result appears when it has ended.
  template <class T>
  std::shared_ptr<std::optional<T>> start(Task<T> task) {
    auto result = std::make_shared<std::optional<T>>();
    asio::co_spawn(context_, std::move(task), [result](std::exception_ptr failure, T value) {
      if (failure)
        std::rethrow_exception(failure);
      *result = std::move(value);
    });
    run();
    return result;
  }
  // The same for one without a result: true when it has ended.
  std::shared_ptr<bool> start(Task<void> task) {
    auto ended = std::make_shared<bool>(false);
    asio::co_spawn(context_, std::move(task), [ended](std::exception_ptr failure) {
      if (failure)
        std::rethrow_exception(failure);
      *ended = true;
    });
    run();
    return ended;
  }
  // All that is ready.
  void run() {
    context_.restart();
    context_.poll();
  }
  // Until `done`, for what other threads bring; false after 30 s.
  template <class Done>
  bool run_until(Done done) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!done()) {
      if (std::chrono::steady_clock::now() > limit)
        return false;
      context_.restart();
      context_.run_one_for(std::chrono::milliseconds(10));
    }
    return true;
  }
  asio::io_context& context() { return context_; }
  Executor executor() { return context_.get_executor(); }

 private:
  asio::io_context context_{1};
};

}  // namespace invlog::capture

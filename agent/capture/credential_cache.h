// The agent's own credentials, so that a call does not wait for a file.
//
// The provider is asked on a helper thread (a shared credentials file may be on a slow disk), at
// most once a second; calls use the last answer meanwhile. They wait when there is none yet, or it
// has expired (nobody called for so long); and for a moment when it is old, since the keys may have
// been changed at any time since.
//
// Thread: the I/O thread; the provider runs on the helper's. Ownership: provider and helper must
// outlive the cache, and the helper must be joined before the loop is destroyed. Errors: a
// provider's error is kept and returned as it is.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <list>
#include <memory>

#include "agent/capture/event.h"
#include "exporters/aws/credentials.h"

namespace invlog::capture {

class CredentialCache {
 public:
  using SteadyNow = std::function<std::chrono::steady_clock::time_point()>;

  using WallClock = std::function<std::chrono::system_clock::time_point()>;

  // `moment`: how long a call waits for news of an old answer.
  CredentialCache(Executor executor, asio::thread_pool& helper, aws::CredentialsProvider& provider,
                  SteadyNow now, WallClock wall_clock,
                  std::chrono::milliseconds moment = std::chrono::milliseconds(500));

  // Credentials, none, or the provider's error.
  Task<aws::ProvideResult> get();
  // At a stop: from here on get() gives what is known, and does not wait for the provider.
  void stop_waiting();
  // Why a call could not be signed now, "" if it could. Asks the provider as get() does, but does
  // not wait for its answer.
  std::string problem();

 private:
  struct State {
    aws::ProvideResult result = std::optional<aws::Credentials>();
    std::chrono::steady_clock::time_point asked_at;
    std::chrono::steady_clock::time_point answered_at;  // the last answer
    bool asking = false;
    bool known = false;
    bool stopping = false;
    bool moment_spent = false;  // on the answer that is still to come: nobody waits again
    std::list<Event*> waiting, waiting_a_moment;
    void wake_all();
    static void wake(std::list<Event*>& each_of);
  };
  void ask();
  void ask_if_stale();
  bool has_expired() const;
  bool is_old() const;

  Executor executor_;
  asio::thread_pool& helper_;
  aws::CredentialsProvider& provider_;
  SteadyNow now_;
  WallClock wall_clock_;
  const std::chrono::milliseconds moment_;
  asio::steady_timer moment_over_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace invlog::capture

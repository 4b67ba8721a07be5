// The agent's own credentials, so that a call does not wait for a file.
//
// The provider is asked on a helper thread (a shared credentials file may be on a slow disk), at
// most once a second; calls use the last answer meanwhile, and only wait when there is none yet, or
// it has expired (nobody called for so long).
//
// Thread: the I/O thread; the provider runs on the helper's. Ownership: provider and helper must
// outlive the cache, and the helper must be joined before the loop is destroyed. Errors: a
// provider's error is kept and returned as it is.
#pragma once

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

  CredentialCache(Executor executor, asio::thread_pool& helper, aws::CredentialsProvider& provider,
                  SteadyNow now, WallClock wall_clock);

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
    bool asking = false;
    bool known = false;
    bool stopping = false;
    std::list<Event*> waiting;
    void wake_all();
  };
  void ask();
  void ask_if_stale();
  bool has_expired() const;

  Executor executor_;
  asio::thread_pool& helper_;
  aws::CredentialsProvider& provider_;
  SteadyNow now_;
  WallClock wall_clock_;
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace invlog::capture

// Asks the system's databases of users on helper threads: they may ask a directory server, which
// may not answer for minutes. Of each user one look-up is under way at a time; a call waits for it
// no longer than `patience`, counted from when the look-up was asked for, so that one that hangs
// holds up nobody for longer.
//
// Thread: the I/O thread; `look_up` runs on the helper's. Ownership: the helper must outlive it,
// and be joined before the loop is destroyed. Errors: those in Answer.
#pragma once

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <utility>

#include "agent/capture/event.h"

namespace invlog::capture {

inline constexpr std::chrono::milliseconds kLookupPatience{1000};

template <class Answer>
class UserLookups {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using LookUp = std::function<Answer(std::uint32_t uid)>;
  // Called from the loop, before whoever waits goes on.
  using Answered = std::function<void(std::uint32_t uid, Answer answer, Time asked_at)>;

  UserLookups(Executor executor, asio::thread_pool& helper, LookUp look_up, Answered answered,
              std::chrono::milliseconds patience)
      : executor_(executor),
        helper_(helper),
        look_up_(std::move(look_up)),
        patience_(patience),
        state_(std::make_shared<State>()) {
    state_->answered = std::move(answered);
  }

  // Asks, unless that is under way.
  void begin(std::uint32_t uid, Time now) {
    if (is_under_way(uid))
      return;
    const auto lookup = std::make_shared<Lookup>(executor_, now);
    state_->under_way.emplace(uid, lookup);
    lookup->patience_over.expires_after(patience_);
    lookup->patience_over.async_wait([weak = std::weak_ptr(lookup)](error_code failure) {
      const auto here = weak.lock();
      if (!failure && here)
        here->stop_waiting();
    });
    asio::post(helper_,
               [uid, look_up = look_up_, executor = executor_, weak = std::weak_ptr(state_)] {
                 const auto answer = std::make_shared<Answer>(look_up(uid));
                 asio::post(executor, [uid, answer, weak] {
                   if (const auto here = weak.lock())
                     here->end(uid, std::move(*answer));
                 });
               });
  }

  bool is_under_way(std::uint32_t uid) const { return state_->under_way.contains(uid); }

  // Until what is under way is answered or takes too long; or `woken` is set by somebody else, such
  // as by a client's end.
  Task<void> wait(std::uint32_t uid, Event& woken) {
    const auto found = state_->under_way.find(uid);
    if (found == state_->under_way.end() || found->second->takes_too_long)
      co_return;
    const std::shared_ptr<Lookup> lookup = found->second;
    lookup->waiting.push_back(&woken);
    co_await woken.wait();
    lookup->waiting.remove(&woken);
  }

 private:
  struct Lookup {
    Lookup(Executor executor, Time now) : asked_at(now), patience_over(executor) {}
    void stop_waiting() {
      takes_too_long = true;
      for (Event* each : std::exchange(waiting, {}))
        each->set();
    }
    const Time asked_at;
    asio::steady_timer patience_over;
    bool takes_too_long = false;
    std::list<Event*> waiting;
  };
  struct State {
    void end(std::uint32_t uid, Answer answer) {
      const auto place = under_way.find(uid);
      const std::shared_ptr<Lookup> lookup = place->second;
      under_way.erase(place);
      answered(uid, std::move(answer), lookup->asked_at);
      lookup->stop_waiting();
    }
    Answered answered;
    std::map<std::uint32_t, std::shared_ptr<Lookup>> under_way;
  };

  Executor executor_;
  asio::thread_pool& helper_;
  const LookUp look_up_;
  const std::chrono::milliseconds patience_;
  const std::shared_ptr<State> state_;
};

}  // namespace invlog::capture

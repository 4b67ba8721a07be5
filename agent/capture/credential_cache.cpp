#include "agent/capture/credential_cache.h"

#include <boost/asio/post.hpp>

namespace invlog::capture {
namespace {

// Of an answer: after that a call waits for news of it. Calls that come all the time only do so
// where a provider takes longer than that, and then once for each answer.
constexpr std::chrono::seconds kOld{5};

}  // namespace

CredentialCache::CredentialCache(Executor executor, asio::thread_pool& helper,
                                 aws::CredentialsProvider& provider, SteadyNow now,
                                 WallClock wall_clock, std::chrono::milliseconds moment)
    : executor_(executor),
      helper_(helper),
      provider_(provider),
      now_(std::move(now)),
      wall_clock_(std::move(wall_clock)),
      moment_(moment),
      moment_over_(executor) {}

void CredentialCache::ask() {
  state_->asking = true;
  state_->moment_spent = false;
  state_->asked_at = now_();
  asio::post(helper_, [&provider = provider_, executor = executor_, state = state_, now = now_] {
    auto result = std::make_shared<aws::ProvideResult>(provider.provide());
    asio::post(executor, [state, result, now] {
      state->result = std::move(*result);
      state->answered_at = now();
      state->asking = false;
      state->known = true;
      state->wake_all();
    });
  });
}

void CredentialCache::State::wake(std::list<Event*>& each_of) {
  for (Event* each : std::exchange(each_of, {}))
    each->set();
}

void CredentialCache::State::wake_all() {
  wake(waiting);
  wake(waiting_a_moment);
}

void CredentialCache::stop_waiting() {
  state_->stopping = true;
  moment_over_.cancel();
  state_->wake_all();
}

void CredentialCache::ask_if_stale() {
  const bool stale = !state_->known || now_() - state_->asked_at >= std::chrono::seconds(1);
  if (stale && !state_->asking)
    ask();
}

bool CredentialCache::has_expired() const {
  if (!state_->result || !*state_->result)
    return false;
  const auto expiration = (*state_->result)->expiration;
  return expiration && *expiration <= wall_clock_();
}

bool CredentialCache::is_old() const {
  return now_() - state_->answered_at >= kOld;
}

std::string CredentialCache::problem() {
  ask_if_stale();
  if (!state_->known)
    return "not known yet";
  if (!state_->result)
    return state_->result.error().message;
  if (has_expired())
    return "they have expired";
  return *state_->result ? "" : "there are none";
}

Task<aws::ProvideResult> CredentialCache::get() {
  const std::shared_ptr<State> state = state_;
  ask_if_stale();
  const bool useful = state->known && state->result && *state->result && !has_expired();
  if (state->asking && !state->stopping && (!useful || (is_old() && !state->moment_spent))) {
    Event answered;
    if (!useful) {
      state->waiting.push_back(&answered);
    } else {
      if (state->waiting_a_moment.empty()) {
        moment_over_.expires_after(moment_);
        moment_over_.async_wait([state](error_code failure) {
          if (failure)
            return;
          state->moment_spent = true;
          State::wake(state->waiting_a_moment);
        });
      }
      state->waiting_a_moment.push_back(&answered);
    }
    co_await answered.wait();
  }
  co_return state->result;
}

}  // namespace invlog::capture

#include "agent/capture/credential_cache.h"

#include <boost/asio/post.hpp>

namespace invlog::capture {

CredentialCache::CredentialCache(Executor executor, asio::thread_pool& helper,
                                 aws::CredentialsProvider& provider, SteadyNow now,
                                 WallClock wall_clock)
    : executor_(executor),
      helper_(helper),
      provider_(provider),
      now_(std::move(now)),
      wall_clock_(std::move(wall_clock)) {}

void CredentialCache::ask() {
  state_->asking = true;
  state_->asked_at = now_();
  asio::post(helper_, [&provider = provider_, executor = executor_, state = state_] {
    auto result = std::make_shared<aws::ProvideResult>(provider.provide());
    asio::post(executor, [state, result] {
      state->result = std::move(*result);
      state->asking = false;
      state->known = true;
      state->wake_all();
    });
  });
}

void CredentialCache::State::wake_all() {
  for (Event* each : std::exchange(waiting, {}))
    each->set();
}

void CredentialCache::stop_waiting() {
  state_->stopping = true;
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
  if (!useful && state->asking && !state->stopping) {
    Event answered;
    state->waiting.push_back(&answered);
    co_await answered.wait();
  }
  co_return state->result;
}

}  // namespace invlog::capture

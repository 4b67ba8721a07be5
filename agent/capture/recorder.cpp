#include "agent/capture/recorder.h"

#include <boost/asio/post.hpp>

#include "agent/capture/pending_invocation.h"

namespace invlog::capture {

// What a callback on the writer's thread brings back to a coroutine on the loop.
struct Recorder::Answer {
  explicit Answer(bool before) : before_call(before) {}
  const bool before_call;
  Event arrived;
  bool ok = false;
  bool passes = false;  // policy says that it need not be on record
};

namespace {

// Refused here: it never left the host.
bool is_refused(const bedrock::Invocation& invocation) {
  return invocation.outcome == bedrock::Outcome::denied ||
         invocation.outcome == bedrock::Outcome::error;
}

}  // namespace

Recorder::Recorder(Executor executor, RecordSink& sink, Policy policy, Statistics& statistics)
    : executor_(executor), sink_(sink), policy_(std::move(policy)), statistics_(statistics) {}

Recorder::~Recorder() = default;

bool Recorder::must_wait() {
  if (policy_.on_overload != config::OnOverload::block || held_.empty())
    return false;
  // A store that fails may stay so; "pass" means that the application goes on all the same.
  return !(policy_.on_storage_failure == config::OnStorageFailure::pass && sink_.failing());
}

Task<bool> Recorder::admit() {
  for (;;) {
    if (refuses())
      co_return false;
    if (!must_wait())
      co_return true;
    Event looked;
    waiting_.push_back(&looked);
    co_await looked.wait();
  }
}

Task<bool> Recorder::begin(bedrock::Invocation request, IntentId& intent) {
  intent = 0;
  const auto answer = std::make_shared<Answer>(true);
  std::unique_ptr<storage::PendingRecord> pending = this->pending(std::move(request));
  for (;;) {
    const storage::Submitted submitted = sink_.submit_intent(pending, intent, bring(answer));
    if (submitted == storage::Submitted::queued)
      break;
    if (refuses())
      co_return false;
    const bool failing = submitted == storage::Submitted::failed || sink_.failing();
    if (policy_.on_overload == config::OnOverload::pass || failing)
      co_return true;
    ask_for_room();
    Event looked;
    waiting_.push_back(&looked);
    co_await looked.wait();
  }
  co_return co_await committed(*answer) ||
      policy_.on_storage_failure == config::OnStorageFailure::pass;
}

void Recorder::finish(bedrock::Invocation invocation, IntentId intent) {
  const bool refused = is_refused(invocation);
  hand_over({pending(std::move(invocation)), {}, intent, refused, nullptr});
}

Task<bool> Recorder::finish_and_wait(bedrock::Invocation invocation, IntentId intent) {
  const auto answer = std::make_shared<Answer>(false);
  const bool refused = is_refused(invocation);
  hand_over({pending(std::move(invocation)), bring(answer), intent, refused, answer});
  co_return co_await committed(*answer) || answer->passes ||
      policy_.on_storage_failure == config::OnStorageFailure::pass;
}

storage::Writer::Committed Recorder::bring(std::shared_ptr<Answer> answer) const {
  return [answer = std::move(answer), executor = executor_](bool ok) {
    asio::post(executor, [answer, ok] {
      answer->ok = ok;
      answer->arrived.set();
    });
  };
}

Task<bool> Recorder::committed(Answer& answer) {
  if (!is_hopeless(answer)) {
    const auto place = unanswered_.insert(unanswered_.end(), &answer);
    co_await answer.arrived.wait();
    unanswered_.erase(place);
  }
  co_return answer.ok;
}

// A failing store may stay so. A call that has not left the host is refused or goes on, as policy
// says; the answer of one that has is only held back where policy wants it on disk first.
bool Recorder::is_hopeless(const Answer& answer) {
  const bool holds_nobody =
      answer.before_call || policy_.on_storage_failure == config::OnStorageFailure::pass;
  return holds_nobody && sink_.failing();
}

std::unique_ptr<storage::PendingRecord> Recorder::pending(bedrock::Invocation invocation) const {
  Privacy privacy = invocation.privacy.value_or(policy_.privacy);
  return std::make_unique<PendingInvocation>(std::move(invocation), std::move(privacy));
}

void Recorder::change(config::OnOverload on_overload, config::OnStorageFailure on_storage_failure,
                      Privacy privacy) {
  policy_.on_overload = on_overload;
  policy_.on_storage_failure = on_storage_failure;
  policy_.privacy = std::move(privacy);
  if (policy_.on_overload == config::OnOverload::pass) {
    for (Held& held : std::exchange(held_, {})) {
      if (const auto submitted = submit(held); submitted != storage::Submitted::queued)
        drop_for(held, submitted);
    }
  }
  wake_waiting();
}

void Recorder::hand_over(Held held) {
  // What is held comes first.
  if (held_.empty()) {
    const storage::Submitted submitted = submit(held);
    if (submitted == storage::Submitted::queued)
      return;
    const bool failed = submitted == storage::Submitted::failed;
    if (policy_.on_overload == config::OnOverload::pass ||
        (failed && policy_.on_storage_failure == config::OnStorageFailure::pass))
      return drop_for(held, submitted);
  }
  if (held.refused && refuses())
    return drop_for(held, storage::Submitted::failed);
  held_.push_back(std::move(held));
  ask_for_room();
}

storage::Submitted Recorder::submit(Held& held) {
  return sink_.submit(held.pending, held.committed, held.intent);
}

// A queue that is full although the store works is what on_overload = "pass" is about: the answer
// goes on, whatever on_storage_failure wants of a store that does not.
void Recorder::drop_for(Held& held, storage::Submitted submitted) {
  const bool failed = submitted == storage::Submitted::failed;
  if (held.answer)
    held.answer->passes = !failed;
  drop(held, failed ? "storage-failing" : "queue-full");
}

void Recorder::drop(Held& held, const char* why) {
  ++statistics_.dropped;
  sink_.count_dropped(why, 1);
  if (held.intent != 0)
    sink_.forget_intent(held.intent);
  if (held.committed)
    held.committed(false);
}

void Recorder::ask_for_room() {
  if (asked_for_room_)
    return;
  asked_for_room_ = true;
  sink_.when_room([this, executor = executor_, alive = std::weak_ptr<Alive>(alive_)] {
    asio::post(executor, [this, alive] {
      if (!alive.expired())
        on_room();
    });
  });
}

void Recorder::on_room() {
  asked_for_room_ = false;
  while (!held_.empty()) {
    if (submit(held_.front()) != storage::Submitted::queued) {
      ask_for_room();
      break;
    }
    held_.pop_front();
  }
  wake_waiting();
}

void Recorder::wake_waiting() {
  for (Event* waiting : std::exchange(waiting_, {}))
    waiting->set();
}

void Recorder::tick() {
  // A store that fails while records are held, and must not hold calls up: they are dropped, and
  // counted.
  if (!held_.empty() && policy_.on_storage_failure == config::OnStorageFailure::pass &&
      sink_.failing()) {
    for (Held& held : std::exchange(held_, {})) {
      if (submit(held) != storage::Submitted::queued)
        drop(held, "storage-failing");
    }
  }
  for (Answer* answer : unanswered_) {
    if (is_hopeless(*answer))
      answer->arrived.set();
  }
  wake_waiting();
}

void Recorder::drain() {
  for (Held& held : std::exchange(held_, {})) {
    if (submit(held) != storage::Submitted::queued)
      drop(held, "stopped");
  }
  wake_waiting();
}

}  // namespace invlog::capture

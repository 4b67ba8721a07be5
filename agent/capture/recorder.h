// Hands finished calls to the store, and keeps the promises about it: what happens when the queue
// is full, when the store fails, and when durability is strict.
//
// Where on_overload = "block" waits: a call waits before it is forwarded, while an earlier record
// has not found room. A call that is under way always ends without waiting (its record stays here
// until there is room), because holding back an answer that was already paid for harms most. What
// is held here is bounded by the calls in flight: of those that are refused here, as fast as
// clients repeat them, nothing is held while the store fails.
//
// Thread: the I/O thread; the sink's callbacks are posted to it. Ownership: sink and statistics
// must outlive the recorder, and the recorder all coroutines that use it. Errors: a record that
// cannot be kept is counted, never thrown.
#pragma once

#include <deque>
#include <list>
#include <memory>

#include "agent/bedrock/invocation.h"
#include "agent/capture/event.h"
#include "agent/capture/record_sink.h"
#include "agent/capture/statistics.h"
#include "agent/config/agent_config.h"

namespace invlog::bedrock {
class PrivacyFilter;
}

namespace invlog::capture {

class Recorder {
 public:
  struct Policy {
    config::Durability durability = config::Durability::group;
    config::OnOverload on_overload = config::OnOverload::block;
    config::OnStorageFailure on_storage_failure = config::OnStorageFailure::pass;
    // What of a call's content is kept, also of what strict durability stores early; null:
    // everything.
    std::shared_ptr<const bedrock::PrivacyFilter> privacy = nullptr;
  };
  using Privacy = std::shared_ptr<const bedrock::PrivacyFilter>;
  using IntentId = storage::Writer::IntentId;

  Recorder(Executor executor, RecordSink& sink, Policy policy, Statistics& statistics);
  ~Recorder();

  bool strict() const { return policy_.durability == config::Durability::strict; }
  // For the call that begins now: it goes into its Invocation, and holds to its end.
  const Privacy& privacy() const { return policy_.privacy; }
  // New values, from now on; durability stays as it is.
  void change(config::OnOverload on_overload, config::OnStorageFailure on_storage_failure,
              Privacy privacy);
  // Before a call is forwarded. May wait; false: refuse the call, the store is failing.
  Task<bool> admit();
  // Strict durability: puts the request on record and waits for the commit, but not for a store
  // that fails. `intent` is 0 if the store did not take it; false: refuse the call.
  Task<bool> begin(bedrock::Invocation request, IntentId& intent);
  // Hands the finished call over; never waits.
  void finish(bedrock::Invocation invocation, IntentId intent);
  // Strict durability: hands over and waits for the commit; for a store that fails, only if policy
  // wants that. False: the record is not durable and policy says that the answer must not be given
  // to its end.
  Task<bool> finish_and_wait(bedrock::Invocation invocation, IntentId intent);

  // A row in the store's `event` table.
  void note_event(const char* kind, std::string details) {
    sink_.record_event(kind, std::move(details));
  }

  // Once a tick: waiting calls look again.
  void tick();
  // At the end: hands over what is held, drops what finds no room.
  void drain();
  std::size_t held() const { return held_.size(); }

 private:
  struct Answer;
  struct Held {
    std::unique_ptr<storage::PendingRecord> pending;
    storage::Writer::Committed committed;
    IntentId intent = 0;
    bool refused = false;            // the call never left the host
    std::shared_ptr<Answer> answer;  // for whom `committed` is; null: nobody waits
  };
  struct Alive {};

  std::unique_ptr<storage::PendingRecord> pending(bedrock::Invocation invocation) const;
  // For the writer: its answer, brought to the loop.
  storage::Writer::Committed bring(std::shared_ptr<Answer> answer) const;
  // Waits for the answer while there is hope of one.
  Task<bool> committed(Answer& answer);
  bool is_hopeless(const Answer& answer);
  void hand_over(Held held);
  // Counts what the sink takes.
  storage::Submitted submit(Held& held);
  bool refuses() {
    return policy_.on_storage_failure == config::OnStorageFailure::deny && sink_.failing();
  }
  bool must_wait();
  void drop(Held& held, const char* why);
  void drop_for(Held& held, storage::Submitted submitted);
  void ask_for_room();
  void on_room();
  void wake_waiting();

  Executor executor_;
  RecordSink& sink_;
  Policy policy_;
  Statistics& statistics_;
  std::deque<Held> held_;
  bool asked_for_room_ = false;
  std::list<Event*> waiting_;
  std::list<Answer*> unanswered_;
  std::shared_ptr<Alive> alive_ = std::make_shared<Alive>();  // posted callbacks check it
};

}  // namespace invlog::capture

// One turn of delivering to one destination, as shipper.h describes it, and what must be remembered
// from one turn to the next: the batch under way, whether the target is proven, the search for
// poison. It never waits; it says how long to.
//
// Order is everything here. The plan is on record before the first byte leaves; the cursor moves
// after the answer; a batch that arrived is not sent again only because the ledger could not be
// written; a batch kept over a wait counts only if nobody moved the cursor meanwhile. So a process
// may end between any two steps.
//
// Threads: one, its Shipper's. Ownership: options and destination must outlive it. Errors: results;
// take() throws nothing that derives from std::exception.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "exporters/batch_filler.h"
#include "exporters/dead_letter_retry.h"
#include "exporters/delivery_log.h"
#include "exporters/failure_policy.h"
#include "exporters/poison_search.h"
#include "exporters/shipper.h"
#include "storage/delivery_ledger.h"

namespace invlog::exporters {

struct TurnResult {
  enum class Kind {
    delivered,   // records arrived or became dead letters: there may be more
    again,       // no attempt was made, but the next turn is another one
    idle,        // nothing to deliver
    collecting,  // a batch waits for company
    locked,      // another process is at it
    failed,
    stopped
  };
  Kind kind = Kind::idle;
  std::chrono::milliseconds pause{0};  // until the next turn makes sense
  std::string error;                   // stopped: what was cancelled, "" nothing
  bool passes_by_itself = true;

  std::int64_t records = 0;       // delivered
  std::int64_t dead_letters = 0;  // made, or kept: refused again
  std::int64_t batches = 0;
  std::int64_t done = 0;  // records and dead letters that were dealt with, however that ended
  std::uint64_t bytes = 0, line_bytes = 0;
};

class DeliveryTurn {
 public:
  // `options` with nothing left empty but account_id. `stopped`: ends a turn early.
  DeliveryTurn(const ShipperOptions& options, Destination& destination,
               std::function<bool()> stopped);

  // `until`: deliver up to this record, without waiting for company. No value: what is there, when
  // it is time to.
  TurnResult take(std::optional<std::int64_t> until);
  // So long was waited after the last turn.
  void waited(std::chrono::milliseconds duration);

  // The store's, opened when need be. Both throw StoreError.
  storage::DeliveryLedger& ledger();
  storage::Reader& reader() { return filler_.reader(); }
  // The destination's, made if it has none yet.
  storage::DeliveryState state();
  // "s3 (s3://records-eu)"
  std::string where() const;

 private:
  using Milliseconds = std::chrono::milliseconds;

  TurnResult try_take(std::optional<std::int64_t> until);
  std::optional<TurnResult> prove();
  std::optional<TurnResult> retry();
  std::optional<std::string> plan_of(const storage::DeliveryState& state) const;
  std::optional<TurnResult> drop_useless_plan(const storage::DeliveryState& state);
  TurnResult deliver(const storage::DeliveryState& state, std::optional<std::int64_t> until);
  bool account_became_known();
  void begin(const storage::DeliveryState& state);
  std::optional<Milliseconds> until_due(bool draining) const;
  TurnResult attempt();
  bool put_plan();
  TurnResult overtaken();
  TurnResult settle();
  TurnResult rejected(const aws::ServiceFailure& failure);
  TurnResult bury(const std::string& reason);

  TurnResult failed(const aws::ServiceFailure& failure, bool proving);
  TurnResult failed(const std::string& message, const FailurePolicy::Decision& decision,
                    bool is_retry);
  TurnResult store_failed(const std::string& message);
  TurnResult locked();
  void note_locked();
  void unlocked();
  void note(const std::string& message, bool is_retry);
  void take_back(const std::string& error);
  void refused_target(const std::string& message);
  void say_started(const storage::DeliveryState& state);
  tl::expected<std::string, aws::ServiceFailure> account();
  Origin origin();

  const ShipperOptions& options_;
  Destination& destination_;
  const std::string name_;
  const std::function<bool()> stopped_;
  BatchFiller filler_;
  DeadLetterRetry retry_;
  DeliveryLog log_;
  FailurePolicy policy_;
  Backoff store_backoff_;
  PoisonSearch poison_;
  std::unique_ptr<storage::DeliveryLedger> ledger_;
  std::optional<PendingBatch> pending_;
  std::string instance_;
  bool started_ = false;
  bool proven_ = false;
  bool paused_ = false;        // as the destination asked, before it is asked about a refusal
  bool retried_last_ = false;  // dead letters and the rest take turns
  Milliseconds quiet_for_{0};  // since records were read
  std::string noted_;          // in the ledger
  std::string proof_error_;    // of the last proof, "" it succeeded
  std::int64_t noted_us_ = 0;
  // Since when, by the steady clock, another process has held the lock with the cursor there.
  std::optional<std::chrono::steady_clock::time_point> locked_since_;
  std::int64_t locked_cursor_ = 0;
  std::string locked_error_;  // noted of that, "" none
  std::string refusal_;       // of the target, that has an event row
};

}  // namespace invlog::exporters

#include "exporters/delivery_turn.h"

#include <algorithm>
#include <utility>

#include "exporters/stored_plan.h"
#include "storage/json_writer.h"
#include "storage/moved_file.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::exporters {
namespace {

using std::chrono::milliseconds;
using Kind = TurnResult::Kind;

// What decoding segments took is given back after so long without a record.
constexpr milliseconds kQuiet{5000};
// The same message is not noted in the ledger more often.
constexpr std::int64_t kNoteEveryUs = 5'000'000;
// So long another process may hold the destination's lock without a step before that is a fault: it
// may have been stopped in the middle.
constexpr std::chrono::minutes kLockedTooLong{3};
// Dead letters looked at for one batch.
constexpr std::int64_t kMostRetries = 1000;

// What records need.
bool all_passed(const std::vector<Destination::Check>& checks) {
  return !checks.empty() &&
         std::all_of(checks.begin(), checks.end(), [](const Destination::Check& check) {
           return check.ok || !check.for_records;
         });
}

TurnResult only(Kind kind) {
  TurnResult result;
  result.kind = kind;
  return result;
}

}  // namespace

DeliveryTurn::DeliveryTurn(const ShipperOptions& options, Destination& destination,
                           std::function<bool()> stopped)
    : options_(options),
      destination_(destination),
      name_(destination.name()),
      stopped_(std::move(stopped)),
      filler_(options.store_path, stopped_),
      retry_(destination, filler_),
      log_(options.clock),
      policy_(options.backoff, options.random),
      store_backoff_(options.backoff, options.random) {}

std::string DeliveryTurn::where() const {
  return name_ + " (" + destination_.target() + ")";
}

storage::DeliveryLedger& DeliveryTurn::ledger() {
  if (!ledger_) {
    auto opened = storage::DeliveryLedger::open(options_.store_path, "", options_.clock);
    if (!opened) {
      throw storage::StoreError(opened.error());
    }
    ledger_ = std::move(*opened);
  }
  return *ledger_;
}

storage::DeliveryState DeliveryTurn::state() {
  return ledger().state(name_, options_.from_now && !started_ ? reader().last_id() : 0);
}

TurnResult DeliveryTurn::take(std::optional<std::int64_t> until) {
  try {
    TurnResult result = try_take(until);
    if (result.kind != Kind::locked) {
      unlocked();
    }
    store_backoff_.reset();
    return result;
  } catch (const storage::StoreError& error) {
    return store_failed(error.what());
  } catch (const std::exception& error) {
    if (pending_ && !pending_->answer) {
      pending_.reset();
    }
    return failed(std::string("a fault of invlog's own: ") + error.what(), policy_.after_fault(),
                  false);
  }
}

void DeliveryTurn::waited(milliseconds duration) {
  if (pending_) {
    pending_->waited += duration;
  }
  quiet_for_ += duration;
  if (quiet_for_ >= kQuiet) {
    filler_.release_memory();
  }
}

TurnResult DeliveryTurn::try_take(std::optional<std::int64_t> until) {
  if (storage::file_has_moved(reader().connection())) {
    throw storage::StoreError("the store's file was removed or replaced; it is opened again");
  }
  const storage::DeliveryState known = state();
  say_started(known);
  const bool retries = !ledger().requested_retries(name_, 1).empty();
  if (until && !retries && known.cursor >= *until) {
    return {};
  }
  if (!proven_) {
    if (auto trouble = prove()) {
      return std::move(*trouble);
    }
  }
  if (auto dropped = drop_useless_plan(known)) {
    return std::move(*dropped);
  }
  if (retries && !retried_last_) {
    retried_last_ = true;
    if (auto result = retry()) {
      return std::move(*result);
    }
  }
  retried_last_ = false;
  TurnResult result = deliver(known, until);
  if (result.kind == Kind::idle && !retries) {
    // Proven, and nothing waits: what failed once, perhaps before a restart, does so no longer.
    take_back(known.last_error);
  }
  if (retries && (result.kind == Kind::idle || result.kind == Kind::collecting)) {
    return only(Kind::again);
  }
  return result;
}

std::optional<TurnResult> DeliveryTurn::prove() {
  if (const auto known = account(); !known) {
    return failed(known.error(), true);
  }
  const auto proof = destination_.prove(origin());
  if (!proof) {
    return failed(proof.error(), true);
  }
  // Where nothing waits, no delivery would do that.
  take_back(proof_error_);
  proof_error_.clear();
  proven_ = true;
  refusal_.clear();
  return std::nullopt;
}

// The plan of the batch under way, if it is for this target.
std::optional<std::string> DeliveryTurn::plan_of(const storage::DeliveryState& known) const {
  auto stored = read_stored_plan(known.plan);
  return stored && destination_.is_same_target(stored->target)
             ? std::optional(std::move(stored->plan))
             : std::nullopt;
}

// A plan for somewhere else, or for records that are behind the cursor by now.
std::optional<TurnResult> DeliveryTurn::drop_useless_plan(const storage::DeliveryState& known) {
  const auto useless = [this](const storage::DeliveryState& state) {
    return state.planned_last != 0 && (state.planned_last <= state.cursor || !plan_of(state));
  };
  if (!useless(known)) {
    return std::nullopt;
  }
  const auto lock = storage::try_delivery_lock(options_.store_path, name_);
  if (!lock) {
    return locked();
  }
  pending_.reset();
  if (useless(ledger().state(name_))) {
    ledger().drop_plan(name_);
  }
  return only(Kind::again);
}

std::optional<TurnResult> DeliveryTurn::retry() {
  const auto lock = storage::try_delivery_lock(options_.store_path, name_);
  if (!lock) {
    return locked();
  }
  const auto letters = ledger().requested_retries(name_, kMostRetries);
  if (letters.empty()) {
    return std::nullopt;
  }
  const Origin from = origin();
  quiet_for_ = milliseconds(0);
  const DeadLetterRetry::Outcome outcome = retry_.attempt(ledger(), letters, from);
  if (outcome.failure) {
    return failed(*outcome.failure, false);
  }
  TurnResult result;
  result.records = static_cast<std::int64_t>(outcome.delivered);
  result.dead_letters = static_cast<std::int64_t>(outcome.refused.size());
  result.done = result.records + result.dead_letters;
  result.kind = result.done > 0 ? Kind::delivered : Kind::again;
  result.batches = outcome.delivered > 0 ? 1 : 0;
  result.bytes = outcome.sent.bytes;
  result.line_bytes = outcome.sent.line_bytes;
  log_.dead_letters(where(), outcome.refused);
  if (outcome.delivered > 0) {
    result.pause = policy_.succeeded(outcome.sent.throttled);
    log_.delivered(where(), outcome.delivered, outcome.sent);
    noted_.clear();
  }
  return result;
}

TurnResult DeliveryTurn::deliver(const storage::DeliveryState& known,
                                 std::optional<std::int64_t> until) {
  if (pending_ && !pending_->continues(known)) {
    overtaken();
  }
  if (pending_ && account_became_known()) {
    pending_.reset();
  }
  const std::int64_t last =
      known.planned_last != 0 ? known.planned_last : until.value_or(reader().last_id());
  if (!pending_) {
    if (last <= known.cursor) {
      return {};
    }
    begin(known);
  }
  if (!pending_->complete && pending_->last < last) {
    quiet_for_ = milliseconds(0);
    filler_.fill(*pending_, last, poison_.most_records());
    if (stopped_()) {
      return only(Kind::stopped);
    }
  }
  const auto pause = until_due(until.has_value());
  if (!pause) {
    return attempt();
  }
  TurnResult result;
  result.kind = Kind::collecting;
  result.pause = std::min(*pause, options_.poll);
  return result;
}

// A batch whose first attempt is still to come belongs under the account's name.
bool DeliveryTurn::account_became_known() {
  return pending_->origin.store.account_id.empty() && pending_->attempts == 0 &&
         pending_->planned_last == 0 && !account().value_or("").empty();
}

void DeliveryTurn::begin(const storage::DeliveryState& known) {
  PendingBatch& pending = pending_.emplace();
  pending.origin = origin();
  pending.cursor = known.cursor;
  pending.last = known.cursor;
  pending.planned_last = known.planned_last;
  pending.plan = known.plan;
  pending.newest_event = ledger().newest_event();
  const std::string plan = known.planned_last != 0 ? plan_of(known).value_or("") : "";
  pending.batch = destination_.begin(pending.origin, plan, false);
}

// How long the batch may wait for company; no value: it is time to send it.
std::optional<milliseconds> DeliveryTurn::until_due(bool draining) const {
  const PendingBatch& pending = *pending_;
  if (draining || pending.complete || pending.planned_last != 0 || pending.answer) {
    return std::nullopt;
  }
  milliseconds age = pending.waited;
  if (pending.oldest_us != 0) {
    // A start in the future (the clock was set back) makes a record young, not immortal.
    age = std::max(age, milliseconds((options_.clock() - pending.oldest_us) / 1000));
  }
  if (age >= options_.batch_age) {
    return std::nullopt;
  }
  return std::max(options_.batch_age - age, milliseconds(1));
}

TurnResult DeliveryTurn::attempt() {
  const auto lock = storage::try_delivery_lock(options_.store_path, name_);
  if (!lock) {
    return locked();
  }
  PendingBatch& pending = *pending_;
  if (!pending.continues(ledger().state(name_))) {
    return overtaken();
  }
  if (!pending.answer) {
    pending.complete = true;
    if (pending.batch->records() == 0) {
      pending.answer = Sent{};
    } else if (!put_plan() || ledger().erased_since(pending.newest_event)) {
      // In that order: whoever erases looks at the plan afterwards.
      return overtaken();
    } else {
      ++pending.attempts;
      SendResult sent = pending.batch->send();
      if (!sent) {
        return sent.error().kind == aws::FailureKind::rejected ? rejected(sent.error())
                                                               : failed(sent.error(), false);
      }
      pending.answer = std::move(*sent);
    }
  }
  return settle();
}

// Somebody else moved the cursor: another process, or retention, which takes no lock.
TurnResult DeliveryTurn::overtaken() {
  pending_.reset();
  poison_.start_over();
  return only(Kind::again);
}

// False: records of the batch went meanwhile. Those that go later take the plan with them.
bool DeliveryTurn::put_plan() {
  PendingBatch& pending = *pending_;
  const std::string plan = pending.planned_last != 0 ? "" : pending.batch->plan();
  if (plan.empty()) {
    ledger().note_attempt(name_, pending.last, destination_.target());
    return true;
  }
  const std::string stored = stored_plan(destination_.target(), plan);
  ledger().put_plan(name_, pending.last, stored, destination_.target());
  pending.plan = stored;
  pending.planned_last = pending.last;
  if (pending.continues(ledger().state(name_))) {
    return true;
  }
  ledger().drop_plan(name_);
  return false;
}

TurnResult DeliveryTurn::settle() {
  PendingBatch& pending = *pending_;
  std::vector<Refused> refused = pending.refused;
  refused.insert(refused.end(), pending.answer->refused.begin(), pending.answer->refused.end());
  const std::size_t sent = pending.rejected_alone ? 0 : pending.batch->records();
  const std::size_t arrived = sent - std::min(sent, pending.answer->refused.size());

  storage::DeliveryLedger::Delivered delivered;
  delivered.last = pending.last;
  delivered.records = static_cast<std::int64_t>(arrived);
  delivered.bytes = static_cast<std::int64_t>(pending.answer->bytes);
  delivered.target = destination_.target();
  delivered.objects = pending.answer->objects;
  delivered.head = pending.answer->head;
  for (const Refused& one : refused) {
    storage::DeadLetter letter;
    letter.destination = name_;
    letter.record = one.record;
    letter.at_us = options_.clock();
    letter.reason = one.reason;
    delivered.refused.push_back(std::move(letter));
  }
  ledger().advance(name_, delivered);

  TurnResult result;
  result.kind = Kind::delivered;
  result.records = delivered.records;
  result.dead_letters = static_cast<std::int64_t>(refused.size());
  result.done = result.records + result.dead_letters;
  result.batches = arrived > 0 ? 1 : 0;
  result.bytes = pending.answer->bytes;
  result.line_bytes = pending.answer->line_bytes;
  log_.dead_letters(where(), refused);
  if (pending.rejected_alone) {
    poison_.start_over();
  } else if (sent > 0) {
    poison_.delivered(sent);
    log_.delivered(where(), arrived, *pending.answer);
  }
  result.pause = policy_.succeeded(pending.answer->throttled);
  noted_.clear();
  pending_.reset();
  return result;
}

TurnResult DeliveryTurn::rejected(const aws::ServiceFailure& failure) {
  PendingBatch& pending = *pending_;
  const std::size_t records = pending.batch->records();
  if (pending.planned_last != 0) {
    // What may have arrived must stay what it is, so it is not split.
    return failed(failure.message +
                      "; it refuses the batch as a whole, so the configuration is "
                      "suspected, not the records",
                  policy_.after_refusal(failure.retry_after), true);
  }
  switch (poison_.rejected(records)) {
    case PoisonSearch::Verdict::smaller:
      log_.searching(where(), records, failure.message);
      pending_.reset();
      return only(Kind::again);
    case PoisonSearch::Verdict::poison:
      return bury(failure.message);
    case PoisonSearch::Verdict::doubtful:
      break;
  }
  std::optional<milliseconds> retry_after = failure.retry_after;
  // Asked for a pause, it is asked nothing more before that is over.
  if (!retry_after || paused_) {
    const auto checks = destination_.check(pending.origin);
    retry_after = checks.empty() ? retry_after : checks.back().retry_after;
    // The marker that `invlog doctor` sends arrives: then it is not the configuration.
    if (all_passed(checks) && !retry_after) {
      return bury(failure.message);
    }
  }
  paused_ = retry_after.has_value();
  return failed(failure.message +
                    "; nothing shows that it takes other records, so the configuration is "
                    "suspected, not the record",
                policy_.after_refusal(retry_after), true);
}

// The one record of the batch becomes a dead letter.
TurnResult DeliveryTurn::bury(const std::string& reason) {
  PendingBatch& pending = *pending_;
  // What the filler found unreadable stands beside it.
  pending.refused.push_back({pending.newest, reason});
  pending.rejected_alone = true;
  pending.answer = Sent{};
  return settle();
}

TurnResult DeliveryTurn::failed(const aws::ServiceFailure& failure, bool proving) {
  if (failure.kind == aws::FailureKind::cancelled) {
    TurnResult result = only(Kind::stopped);
    result.error = failure.message;
    return result;
  }
  const FailurePolicy::Decision decision = policy_.after(failure, proving);
  if (decision.prove_again) {
    proven_ = false;
  }
  if (failure.kind == aws::FailureKind::redirected) {
    refused_target(failure.message);
  }
  if (proving) {
    proof_error_ = failure.message;
  }
  return failed(failure.message, decision, !proving);
}

TurnResult DeliveryTurn::failed(const std::string& message, const FailurePolicy::Decision& decision,
                                bool is_retry) {
  log_.failed(where(), message, decision.pause, decision.quiet);
  note(message, is_retry);
  TurnResult result;
  result.kind = Kind::failed;
  result.pause = decision.pause;
  result.error = message;
  result.passes_by_itself = decision.passes_by_itself;
  return result;
}

TurnResult DeliveryTurn::store_failed(const std::string& message) {
  log_.store_failed(where(), message);
  ledger_.reset();
  filler_.close();
  if (pending_ && !pending_->answer) {
    pending_.reset();
  }
  TurnResult result;
  result.kind = Kind::failed;
  result.pause = store_backoff_.next(false);
  if (pending_) {
    // The batch arrived, and may be in the ledger all the same: then the next one follows at once.
    auto throttled = std::exchange(pending_->answer->throttled, std::nullopt);
    result.pause = std::max(result.pause, policy_.succeeded(throttled));
  }
  result.error = message;
  return result;
}

TurnResult DeliveryTurn::locked() {
  note_locked();
  TurnResult result;
  result.kind = Kind::locked;
  result.pause = options_.poll;
  result.error = "another invlog process is delivering to " + where();
  return result;
}

// Only where the other one gets nowhere.
void DeliveryTurn::note_locked() {
  const auto now = options_.steady();
  const std::int64_t cursor = ledger().state(name_).cursor;
  if (!locked_since_ || cursor != locked_cursor_) {
    unlocked();
    locked_since_ = now;
    locked_cursor_ = cursor;
  }
  const auto lasted = std::chrono::duration_cast<milliseconds>(now - *locked_since_);
  if (lasted <= kLockedTooLong) {
    return;
  }
  const auto minutes = std::chrono::duration_cast<std::chrono::minutes>(lasted).count();
  const std::string message = "another invlog process is delivering to " + where() + ", for " +
                              std::to_string(minutes) + " minutes";
  if (locked_error_.empty()) {
    log_.locked(where(), message, lasted);
  }
  if (message != locked_error_) {
    note(message, false);
    locked_error_ = message;
  }
}

void DeliveryTurn::unlocked() {
  locked_since_.reset();
  take_back(locked_error_);
  locked_error_.clear();
}

void DeliveryTurn::note(const std::string& message, bool is_retry) {
  const std::int64_t now = options_.clock();
  if (message == noted_ && now >= noted_us_ && now - noted_us_ < kNoteEveryUs) {
    return;
  }
  try {
    ledger().note_failure(name_, message, is_retry);
    noted_ = message;
    noted_us_ = now;
  } catch (const storage::StoreError& error) {
    log_.store_failed(where(), error.what());
  }
}

// The ledger's error, if it is this one.
void DeliveryTurn::take_back(const std::string& error) {
  if (error.empty()) {
    return;
  }
  try {
    ledger().clear_failure(name_, error);
    noted_.clear();
    log_.passed(where());
  } catch (const storage::StoreError& failure) {
    log_.store_failed(where(), failure.what());
  }
}

void DeliveryTurn::refused_target(const std::string& message) {
  if (message == refusal_) {
    return;
  }
  try {
    // After a restart the ledger still knows what was said.
    if (ledger().state(name_).last_error != message) {
      std::string details = "{";
      storage::append_json_member(details, "destination", name_);
      storage::append_json_member(details, "target", destination_.target());
      storage::append_json_member(details, "reason", message);
      ledger().add_event("delivery-refused", details + "}");
    }
    refusal_ = message;
  } catch (const storage::StoreError& error) {
    log_.store_failed(where(), error.what());
  }
}

void DeliveryTurn::say_started(const storage::DeliveryState& known) {
  if (!started_) {
    started_ = true;
    const bool same = known.target.empty() || destination_.is_same_target(known.target);
    log_.started(where(), same ? "" : known.target, known.cursor, ledger().undelivered(name_));
  }
}

// As ShipperOptions::account_id.
tl::expected<std::string, aws::ServiceFailure> DeliveryTurn::account() {
  std::string pinned = reader().information().account_id;
  return pinned.empty() && options_.account_id ? options_.account_id() : std::move(pinned);
}

Origin DeliveryTurn::origin() {
  Origin origin;
  origin.store = reader().information();
  origin.store.account_id = account().value_or("");
  if (instance_.empty()) {
    instance_ = ledger().instance();
  }
  origin.instance = instance_;
  origin.first_in_s3 = ledger().first_record("s3");
  origin.ledger = [this] { return &ledger(); };
  storage::Statement select(reader().connection(),
                            "SELECT id, lower(hex(chain)) FROM segment WHERE closed_at IS NOT NULL "
                            "ORDER BY id DESC LIMIT 1");
  if (select.step()) {
    origin.chain_segment = select.integer(0);
    origin.chain_head = select.bytes(1);
  }
  return origin;
}

}  // namespace invlog::exporters

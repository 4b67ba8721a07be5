#include "exporters/drain.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::exporters {

using std::chrono::milliseconds;
using Kind = TurnResult::Kind;

Drain::Drain(DeliveryTurn& turn, Surroundings surroundings)
    : turn_(turn), surroundings_(std::move(surroundings)) {}

DrainResult Drain::run(milliseconds give_up_after) {
  try {
    start();
    result_.error = take_turns(give_up_after);
  } catch (const std::exception& error) {
    result_.error = error.what();
  }
  return result_;
}

// "": everything is through.
std::string Drain::take_turns(milliseconds give_up_after) {
  auto success = surroundings_.now();
  while (true) {
    const TurnResult result = turn_.take(until_);
    count(result);
    if (result.kind == Kind::idle) {
      return "";
    }
    if (result.kind == Kind::stopped) {
      const bool is_over =
          give_up_after.count() > 0 && !result.error.empty() && !surroundings_.stopped();
      return is_over ? given_up(give_up_after, result.error) : stopped();
    }
    if (result.kind == Kind::failed && !result.passes_by_itself) {
      return result.error;
    }
    if (result.kind == Kind::delivered) {
      success = surroundings_.now();
      say("");
    }
    milliseconds pause = surroundings_.pause_after(result);
    if (pause.count() == 0) {
      continue;
    }
    if (give_up_after.count() > 0) {
      const milliseconds left =
          give_up_after - std::chrono::duration_cast<milliseconds>(surroundings_.now() - success);
      if (left.count() <= 0) {
        return "gave up after " + duration_text(give_up_after) +
               " without success: " + result.error;
      }
      pause = std::min(pause, left);
    }
    say(result.error);
    if (!surroundings_.wait(pause)) {
      return stopped();
    }
  }
}

// While an attempt was under way, which whoever waits for the end cancelled (Shipper::drain()).
std::string Drain::given_up(milliseconds after, const std::string& cancelled) const {
  const std::string& before = progress_.waiting_for;
  return "gave up after " + duration_text(after) +
         " without success, waiting for an answer: " + cancelled +
         (before.empty() ? "" : "; before that: " + before);
}

void Drain::start() {
  until_ = turn_.reader().last_id();
  progress_.total = left();
}

void Drain::count(const TurnResult& result) {
  result_.records += result.records;
  result_.batches += result.batches;
  result_.dead_letters += result.dead_letters;
  result_.bytes += result.bytes;
  result_.line_bytes += result.line_bytes;
  progress_.bytes = result_.bytes;
  progress_.done = std::min(progress_.total, progress_.done + result.done);
  progress_.successes += result.kind == Kind::delivered ? 1 : 0;
  shared_ = shared_ || result.kind == Kind::locked;
}

// What is still to deliver, by the store.
std::int64_t Drain::left() {
  const storage::DeliveryState state = turn_.state();
  storage::Statement select(turn_.reader().connection(),
                            "SELECT count(*) FROM record WHERE id > ?1 AND id <= ?2");
  const std::int64_t records =
      select.bind(1, state.cursor).bind(2, until_).step() ? select.integer(0) : 0;
  const auto retries =
      turn_.ledger().requested_retries(state.destination, std::numeric_limits<std::int64_t>::max());
  return records + static_cast<std::int64_t>(retries.size());
}

void Drain::say(const std::string& waiting_for) {
  if (shared_) {  // own deliveries are not all of them
    try {
      progress_.done = std::clamp(progress_.total - left(), std::int64_t{0}, progress_.total);
    } catch (const storage::StoreError&) {
      // The next turn meets the same fault and says so.
    }
  }
  progress_.waiting_for = waiting_for;
  if (surroundings_.progress) {
    surroundings_.progress(progress_);
  }
}

std::string Drain::stopped() const {
  return "stopped with " + std::to_string(progress_.total - progress_.done) +
         " records still to deliver; they stay in the store";
}

}  // namespace invlog::exporters

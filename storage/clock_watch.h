// Whether the wall clock may say what is older than max_age. One wrong reading would take the whole
// store: so nothing goes by age after the clock was set by more than an hour, until it has run on
// with a clock that nobody sets, also over a restart; nor after a start where the newest that the
// store has is a tenth of max_age from now; nor right after any start, when a host may not have
// asked for the time yet.
//
// Why not the kernel's own word (adjtimex(2)): it calls the clock of a host without a time service
// wrong for ever, and nothing would ever go.
//
// Thread: the writer's. Ownership: none. Errors: none.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace invlog::storage {

class ClockWatch {
 public:
  // `wall`: Unix time, µs. `steady`: µs since any moment; nobody sets it, and it goes on in a
  // suspend.
  ClockWatch(std::function<std::int64_t()> wall, std::function<std::int64_t()> steady);

  // At the start: what the store knows, Unix µs: the newest time in it, and when the clock was last
  // seen to be set (by that clock); 0: none.
  void remember(std::int64_t newest, std::int64_t set_at);

  // Looks at both clocks. Now, Unix µs, if records older than `max_age_us` may go by that; else 0.
  std::int64_t trusted_now(std::int64_t max_age_us);
  // Why the last look said no; "" it did not, or only because the agent has just started.
  const std::string& problem() const { return problem_; }
  // By how much the clock was set, µs, if that was seen since this was asked last; 0: it was not.
  std::int64_t take_step() { return std::exchange(new_step_, 0); }

 private:
  void note_step(std::int64_t step, std::int64_t steady);
  void look_at_start(std::int64_t most, std::int64_t wait);

  std::function<std::int64_t()> wall_, steady_;
  std::int64_t began_;   // steady
  std::int64_t offset_;  // of the wall clock to that
  // At the start: the newest time in the store to now, and since when the clock was set.
  std::int64_t from_newest_ = 0;
  std::optional<std::int64_t> since_set_;
  bool started_ = false;
  std::optional<std::int64_t> set_at_;  // steady
  std::int64_t new_step_ = 0;
  std::string problem_;
};

}  // namespace invlog::storage

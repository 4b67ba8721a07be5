// Whether the wall clock may say what is older than max_age. One wrong reading would take the whole
// store: so nothing goes by age after the clock was set by more than an hour, until it has run on
// with a clock that nobody sets; nor right after the start, when a host may not have asked for the
// time yet.
//
// Why not the kernel's own word (adjtimex(2)): it calls the clock of a host without a time service
// wrong for ever, and nothing would ever go.
//
// Thread: the writer's. Ownership: none. Errors: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace invlog::storage {

class ClockWatch {
 public:
  // `wall`: Unix time, µs. `steady`: µs since any moment; nobody sets it, and it goes on in a
  // suspend.
  ClockWatch(std::function<std::int64_t()> wall, std::function<std::int64_t()> steady);

  // Looks at both clocks. Now, Unix µs, if records older than `max_age_us` may go by that; else 0.
  std::int64_t trusted_now(std::int64_t max_age_us);
  // Why the last look said no; "" it did not, or only because the agent has just started.
  const std::string& problem() const { return problem_; }

 private:
  std::function<std::int64_t()> wall_, steady_;
  std::int64_t began_;                    // steady
  std::int64_t offset_;                   // of the wall clock to that
  std::int64_t set_at_ = 0, set_by_ = 0;  // when it was set (steady), and how far; 0: it was not
  std::string problem_;
};

}  // namespace invlog::storage

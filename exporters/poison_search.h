// Finds the record for which a destination refuses a whole batch, by halving: the first half is
// tried, then the half of what must hold it, down to one record. A batch of n records takes
// log2(n) attempts, and each half that is fine is delivered on the way.
//
// It also doubts itself: a record is only known to be at fault if others arrived while it was
// looked for. Else the destination may refuse everything, as a wrong configuration makes it.
//
// Pure; any one thread. Errors: none.
#pragma once

#include <cstddef>

namespace invlog::exporters {

class PoisonSearch {
 public:
  enum class Verdict {
    smaller,  // try again with a batch of most_records()
    poison,   // this one record will never be taken
    doubtful  // so it seems, but nothing shows that another one would be
  };

  // How many records the next batch may have; 0: as many as it takes.
  std::size_t most_records() const;

  // A batch of `records` (from the cursor on) was refused as a whole.
  Verdict rejected(std::size_t records);
  // A batch of `records` arrived.
  void delivered(std::size_t records);
  // The one record has become a dead letter, or somebody else moved the cursor.
  void start_over();

 private:
  std::size_t suspects_ = 0;     // so many records from the cursor on hold at least one poison
  bool others_arrived_ = false;  // during this search
};

}  // namespace invlog::exporters

// Finds the record for which a destination refuses a whole batch, by halving: the first half is
// tried, then the half of what must hold it, down to one record. A batch of n records takes
// log2(n) attempts, and each half that is fine is delivered on the way.
//
// It also doubts itself: where three single records in a row are refused with no success in
// between, the records are hardly what is wrong.
//
// Pure; any one thread. Errors: none.
#pragma once

#include <cstddef>

namespace invlog::exporters {

class PoisonSearch {
 public:
  static constexpr int kSuspicious = 3;

  enum class Verdict {
    smaller,       // try again with a batch of most_records()
    poison,        // this one record will never be taken
    configuration  // so it seems, but it is the third in a row
  };

  // How many records the next batch may have; 0: as many as it takes.
  std::size_t most_records() const;

  // A batch of `records` (from the cursor on) was refused as a whole.
  Verdict rejected(std::size_t records);
  // The one record has become a dead letter.
  void buried();
  // A batch of `records` arrived.
  void delivered(std::size_t records);
  // The destination is known to take records after all: the count in a row begins anew.
  void acquit_configuration() { in_a_row_ = 0; }
  // The cursor was moved by somebody else.
  void start_over() { suspects_ = 0; }

 private:
  std::size_t suspects_ = 0;  // so many records from the cursor on hold at least one poison
  int in_a_row_ = 0;          // records given up since the last success
};

}  // namespace invlog::exporters

// Sends again what somebody asked for out of the dead letters: records that stand alone, not a
// continuation. A destination whose batches have a plan (S3) gets them one at a time, so that a
// record's object has the same key however often it is tried and whatever else is asked for, as
// long as the configuration stays what it is.
//
// Threads: one, its Shipper's, which holds the destination's lock. Ownership: destination and
// filler must outlive it. Errors: StoreError of the ledger or the store.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "exporters/batch_filler.h"
#include "exporters/destination.h"
#include "storage/delivery_ledger.h"

namespace invlog::exporters {

class DeadLetterRetry {
 public:
  struct Outcome {
    std::size_t delivered = 0;
    std::vector<Refused> refused;  // again, with the new reason
    Sent sent;
    std::optional<aws::ServiceFailure> failure;  // nothing was settled
  };

  DeadLetterRetry(Destination& destination, BatchFiller& filler)
      : destination_(destination), filler_(filler) {}

  // One attempt at some of `letters` (one at least), and the ledger knows how it ended. None is
  // made, and the outcome is empty, if bodies were erased after they were read.
  Outcome attempt(storage::DeliveryLedger& ledger, std::vector<storage::DeadLetter> letters,
                  const Origin& origin);

 private:
  struct Selection;

  void select(Selection& selection, const std::vector<storage::DeadLetter>& letters);
  bool send(Selection& selection, Outcome& outcome);
  void settle(storage::DeliveryLedger& ledger, const Selection& selection, Outcome& outcome);

  Destination& destination_;
  BatchFiller& filler_;
  std::size_t most_records_ = 0;  // 0: as many as the batch takes
};

}  // namespace invlog::exporters

// Delivers one store's records to one destination: at least once, in order, with a durable cursor
// that moves only after the destination's answer (DESIGN.md, "Delivery").
//
// One turn: take the destination's lock, read cursor and plan, fill a batch, put its plan on
// record, make one attempt, move the cursor, let the lock go. Waiting (for company, for the next
// attempt) is done without the lock, so that `invlog ship --once` and a running agent take turns
// instead of getting into each other's way. Where the other one holds it for minutes and the cursor
// stays, that is the destination's last error.
//
// A batch without a plan (CloudWatch Logs) that the destination refuses as a whole is halved until
// the record that it will never take stands alone; that becomes a dead letter, and the rest goes
// on. If no other record arrived meanwhile, the marker of `invlog doctor` has to: where it does
// not, the configuration is at fault, and delivery waits instead. A batch with a plan (S3) must
// stay what it is, so a refusal of it is taken for the configuration's from the start.
//
// Threads: run() and drain() belong to one thread, on which everything happens (store reading,
// compression, HTTP); stop() may be called from any. Ownership: destination and clock must outlive
// it. Errors: what fails is kept in the ledger and in the log and tried again; exceptions from the
// store (a damaged record) become dead letters of that record. run() never throws.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <tl/expected.hpp>

#include "exporters/backoff.h"
#include "exporters/destination.h"

namespace invlog::exporters {

struct ShipperOptions {
  std::string store_path;
  std::chrono::milliseconds batch_age{60000};
  bool from_now = false;
  std::chrono::milliseconds poll{500};  // how often an idle shipper looks for new records
  BackoffOptions backoff;
  std::function<std::int64_t()> clock;  // now, Unix µs; empty: the system's
  // For what is given up after a while, whatever becomes of the clock; empty: the system's.
  std::function<std::chrono::steady_clock::time_point()> steady;
  std::function<double()> random;  // [0, 1); empty: a good one
  // Waits, or returns early (false) when told to stop; empty: really waits. Tests pass one that
  // advances a clock.
  std::function<bool(std::chrono::milliseconds)> wait;
  // Of a store without an account: the account id, "" if nobody says so, or why it may only be
  // known in a moment, for which the delivery then waits; empty: nobody is asked. Records carry it,
  // and S3's layout.
  std::function<tl::expected<std::string, aws::ServiceFailure>()> account_id;
};

struct DrainProgress {
  std::int64_t done = 0, total = 0;  // records
  std::uint64_t bytes = 0;           // over the wire so far
  std::int64_t successes = 0;        // turns that got something through
  std::string waiting_for;           // the last error while it is being waited out, "" if none
};

// What was done, whether it is all or not.
struct DrainResult {
  std::int64_t records = 0, batches = 0;
  std::int64_t dead_letters = 0;  // refused, for the first time or again
  std::uint64_t bytes = 0, line_bytes = 0;
  std::string error;  // why it is not all; "": it is
};

class Shipper {
 public:
  Shipper(ShipperOptions options, Destination& destination);
  ~Shipper();
  Shipper(const Shipper&) = delete;
  Shipper& operator=(const Shipper&) = delete;

  // Until stop().
  void run();
  // Everything that is in the store at the start, then returns. `progress` is called after each
  // batch and before each wait. An error is what cannot pass by itself (a refused Region, a missing
  // permission, no credentials), or `give_up_after` (0: never) without any success. An attempt that
  // is under way by then ends it only once it ends: whoever gave the HttpClient's `cancelled` flag
  // sets that.
  DrainResult drain(const std::function<void(const DrainProgress&)>& progress,
                    std::chrono::milliseconds give_up_after);
  // The turn under way may finish its attempt; give the HttpClient's `cancelled` flag to end that
  // too.
  void stop();

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace invlog::exporters

// Where records are delivered to, and what one batch of them is there. exporters::Shipper drives
// it: prove() once, then begin(), add() until full, send() until sent.
//
// Why the plan: S3 holds each record exactly once only if a batch that may have arrived before a
// crash is sent again as the same objects. So the Shipper puts Batch::plan() on record before the
// first send(), and a batch begun with a stored plan writes what the plan says, whatever the
// configuration says by now.
//
// Threads: a destination and its batches belong to one thread, its Shipper's. Ownership: a batch
// must not outlive its destination. Errors: what the service or the network does is a result;
// exceptions are faults of our own.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/aws/service_failure.h"
#include "storage/delivery_ledger.h"
#include "storage/reader.h"

namespace invlog::exporters {

// What is the same for every record of a delivery.
struct Origin {
  storage::StoreInformation store;  // account_id as known by now
  std::string instance;             // 32 hex digits that no other store has (delivery ledger)
  std::string chain_head;           // hex SHA-256 of the newest closed segment, "" if none
  std::int64_t chain_segment = 0;   // that segment
  // The first record that S3 is to get; no value: not known, and where S3 is given all, 1.
  std::optional<std::int64_t> first_in_s3;
  // The store's ledger, for what S3 has by now of a record; empty, or null: not known. Throws
  // StoreError.
  std::function<storage::DeliveryLedger*()> ledger;
};

// A record that the destination will never take, and why.
struct Refused {
  std::int64_t record = 0;
  std::string reason;
};

struct Sent {
  std::vector<Refused> refused;                   // records of this batch that did not get there
  std::uint64_t bytes = 0;                        // over the wire, as compressed
  std::uint64_t line_bytes = 0;                   // record lines before compression
  std::vector<std::string> places;                // object keys, for logs and --json
  std::vector<storage::DeliveredObject> objects;  // the same for the ledger, with their records
  // The head of the chain that this, or what was sent before it, left at the destination.
  std::optional<storage::DeliveredHead> head;
  // Set: all of this arrived, but what the destination said afterwards beside it was throttled, so
  // a pause is due before the next batch.
  std::optional<aws::ServiceFailure> throttled;
};

using SendResult = tl::expected<Sent, aws::ServiceFailure>;

class Batch {
 public:
  virtual ~Batch() = default;

  enum class Added {
    taken,
    full  // not taken: this batch is to be sent without it
  };
  // Records come in the order of ids. A batch begun with a plan takes whatever is added.
  virtual Added add(const storage::StoredRecord& record) = 0;
  // Nothing more fits, or by size it is worth sending now.
  virtual bool full() const = 0;
  virtual std::size_t records() const = 0;
  // One JSON object that begin() takes; "" if sending again needs none. Final once add() is over.
  virtual std::string plan() const = 0;
  // One attempt at all that has not been sent yet. After a failure it may be called again.
  virtual SendResult send() = 0;
};

// The head of a store's chain that a destination was given with a delivery.
struct KeptHead {
  std::int64_t segment = 0;
  std::string chain;  // hex SHA-256
  std::string place;  // for people: "s3://bucket/key", "/invlog/records <stream>/integrity"
  // The store's own ledger named the place, since what others delivered hides what came later.
  bool by_ledger = false;

  bool is_same_as(const KeptHead& other) const {
    return segment == other.segment && chain == other.chain;
  }
};

class Destination {
 public:
  virtual ~Destination() = default;

  // "s3", "cloudwatch_logs": the key in the ledger and in the configuration.
  virtual std::string name() const = 0;
  // For people: "s3://records-eu/prefix", "/invlog/records aws/bedrock/modelinvocations".
  virtual std::string target() const = 0;
  // Whether target() was that by another name: what is sent here is what was sent there, so a plan
  // made for that one goes on.
  virtual bool is_same_target(std::string_view other) const { return other == target(); }

  // Region guard: proves that the target is in the source Region, before the first byte goes there,
  // and prepares it (log group and stream). FailureKind::redirected means "elsewhere": nothing is
  // sent until the configuration changes.
  virtual tl::expected<void, aws::ServiceFailure> prove(const Origin& origin) = 0;

  // `plan`: what an earlier batch's plan() gave, "" for a new one. `retry`: these are single
  // records out of the dead letters, not a continuation. Origin must outlive the batch.
  virtual std::unique_ptr<Batch> begin(const Origin& origin, const std::string& plan,
                                       bool retry) = 0;

  // The heads of this store's chain that the destination keeps, the one that it was given last
  // first, each value once: whoever changes the store cannot have changed them, and a store that
  // was put back and went on contradicts those beside its own. Empty: it keeps none. `since_us`:
  // when the newest delivered record's call began (Unix µs), where a search may begin. How far back
  // it goes is bounded by the destination; where others' deliveries fill that, it asks the objects
  // `given`, which are known to be this store's (DeliveredObject::place, the newest first).
  virtual tl::expected<std::vector<KeptHead>, aws::ServiceFailure> kept_heads(
      const Origin& origin, std::int64_t since_us, const std::vector<std::string>& given) = 0;
  // Where within the target kept_heads() looks, as Sent::head says where one was left; "" the
  // whole.
  virtual std::string head_folder(const Origin&) const { return ""; }

  // One check per permission that delivery needs, for `invlog doctor`; writes the marker objects or
  // events that AWS's own service writes when it checks.
  struct Check {
    std::string what;  // "s3:PutObject on records-eu/AWSLogs/..."
    bool ok = false;
    std::string detail;  // the answer
    // Why it is not ok; none: it could not be told, since another check failed.
    std::optional<aws::FailureKind> failure{};
    // As the service asked; then this is the last check, and nothing more was asked of it.
    std::optional<std::chrono::milliseconds> retry_after{};
    bool for_records = true;  // false: records are delivered without it, chain heads are not
  };
  virtual std::vector<Check> check(const Origin& origin) = 0;
};

}  // namespace invlog::exporters

// A range of records on its way to S3: one object of lines for each hour that it touches (one,
// usually), so that the folders hold what their names say, and one object for each large body.
//
// Memory: the compressed objects (S3Options::batch_bytes and a little) and a few MiB, whatever the
// lines' length altogether; it is full before it grows beyond that, or beyond 24 hours.
//
// Threads: one. Ownership: options, client and origin must outlive it. Errors: send() gives
// results; add() throws what the compressors throw.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "exporters/destination.h"
#include "exporters/s3/batch_plan.h"
#include "exporters/s3/object_body.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/piece_compressor.h"
#include "exporters/s3/s3_client.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

class S3Batch : public Batch {
 public:
  // `resumed`: `plan` is that of a batch sent before, and the batch takes whatever is added.
  S3Batch(const S3Options& options, S3Client& client, const Origin& origin, BatchPlan plan,
          bool resumed, bool retry);

  Added add(const storage::StoredRecord& record) override;
  bool full() const override;
  std::size_t records() const override { return records_; }
  std::string plan() const override { return plan_.json(); }
  // Bodies first, so that no line ever points at nothing. What was stored is not sent again by the
  // next call. It never refuses a single record: S3 does not look into objects.
  SendResult send() override;

 private:
  struct HourObject {
    explicit HourObject(PieceCompressor& compressor) : body(compressor) {}
    ObjectBody body;
    RecordSpan span;
    std::string host;  // of its newest record, so that another attempt says the same
    bool sent = false;
  };
  struct LargeBody {
    std::string key, bytes, content_type, host;
    std::int64_t record = 0;
    bool sent = false;
  };

  storage::BodyPlaces set_apart(const storage::StoredRecord& record);
  std::string set_apart(const storage::StoredRecord& record, BodySide side, BodyName name);
  BodyName next_body_name(const storage::StoredRecord& record);
  bool is_large(const storage::Body& body) const;
  // `host`: of the last record.
  tl::expected<void, aws::ServiceFailure> put(const std::string& key, std::string_view bytes,
                                              const std::string& content_type,
                                              const std::string& host, std::int64_t first_record,
                                              std::int64_t last_record);

  const S3Options& options_;
  S3Client& client_;
  const BatchPlan plan_;
  const bool resumed_, retry_;
  storage::StoreInformation store_;  // the plan's account in it
  ObjectLayout layout_;
  PieceCompressor compressor_;
  std::map<std::int64_t, HourObject> hours_;
  std::vector<LargeBody> large_bodies_;
  std::uint64_t large_body_bytes_ = 0;        // compressed
  std::unordered_set<std::string> requests_;  // of large bodies, by BatchPlan::bodies_by_request
  std::size_t records_ = 0;
  bool too_many_hours_ = false;
  Sent sent_;
};

}  // namespace invlog::exporters

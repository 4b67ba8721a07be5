// A record as the message of one CloudWatch Logs event: its AWS-schema line if that is within the
// service's limit. A line over it keeps its metadata, and its bodies give way: where the S3
// destination is configured, the largest body becomes the place of the object that S3 has it in,
// then the other; what still does not fit is cut to valid JSON and marked (storage::LineCuts).
// Bodies that S3 keeps inline (up to S3Options::large_body_bytes) have no object to point to.
//
// Events are mostly sooner than S3's batches. So that none points to what never comes, S3's place
// is foretold only while S3 gets through (the newest answer was a success, in the configured
// bucket); else bodies are cut. A foretold name stands: who changes what names are made of (prefix,
// compression, large bodies) before S3 has the batch leaves the event with the former one.
//
// Threads: one. Errors: StoreError of Origin's ledger; what can never fit is an empty message.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "exporters/cloudwatch_logs/log_event_batch.h"
#include "exporters/destination.h"
#include "exporters/s3/s3_options.h"
#include "storage/reader.h"

namespace invlog::exporters {

class EventMessage {
 public:
  // `s3`: where the S3 destination writes, if there is one. `limit`: bytes of a message.
  explicit EventMessage(std::optional<S3Options> s3, std::size_t limit = kMaximumMessageBytes);

  // 1 to `limit` bytes of UTF-8 without a line's end, or "" if not even the metadata fits.
  std::string of(const Origin& origin, const storage::StoredRecord& stored) const;

 private:
  std::string reduced(const Origin& origin, const storage::StoredRecord& stored) const;
  // The object that the S3 destination has written of a body, or writes by its plan or, if none is
  // under way for the record, by its configuration; "" none, or not sure to come.
  std::string place(const Origin& origin, const storage::StoredRecord& stored,
                    bool of_request) const;

  const std::optional<S3Options> s3_;
  const std::size_t limit_;
};

}  // namespace invlog::exporters

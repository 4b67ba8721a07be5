// A record as the message of one CloudWatch Logs event: its AWS-schema line if that is within the
// service's limit. A line over it keeps its metadata, and its bodies give way: where the S3
// destination is configured, the largest body becomes the place of the object that S3 has it in,
// then the other; what still does not fit is cut to valid JSON and marked (storage::LineCuts).
// Bodies that S3 keeps inline (up to S3Options::large_body_bytes) have no object to point to.
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
  // The object that the S3 destination has written of a body, or writes by its plan or, if nothing
  // was begun, by its configuration; "" none.
  std::string place(const Origin& origin, const storage::StoredRecord& stored,
                    bool of_request) const;

  const std::optional<S3Options> s3_;
  const std::size_t limit_;
};

}  // namespace invlog::exporters

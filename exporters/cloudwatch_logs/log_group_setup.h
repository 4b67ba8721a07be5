// Makes the log group and streams that are missing, in the order that costs least where all is
// there already: the stream, then the group, then the stream again.
//
// Threads: one. Ownership: client and options must outlive it. Errors: results; without `create` a
// missing group or stream is `not_found` with what to do.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/service_failure.h"
#include "exporters/cloudwatch_logs/cloudwatch_logs_options.h"
#include "exporters/cloudwatch_logs/logs_client.h"

namespace invlog::exporters {

class LogGroupSetup {
 public:
  LogGroupSetup(const CloudWatchLogsOptions& options, LogsClient& client)
      : options_(options), client_(client) {}

  // What it means that the stream may not be made: whether it is there remains unknown.
  enum class StreamDenied { fails, taken_as_there };

  // The stream exists afterwards. A group that this makes gets its retention, and as long as that
  // fails so does this: the group would otherwise keep everything for ever, unnoticed.
  tl::expected<void, aws::ServiceFailure> ensure(const std::string& stream,
                                                 StreamDenied denied = StreamDenied::fails);

  // A group that this made still lacks its retention.
  bool retention_due() const { return retention_due_; }
  // Also one that an earlier process made, as far as one can tell: it is empty, and has none. If it
  // may not be set there, it stays as it is.
  void found(const LogGroupShown& group);

 private:
  tl::expected<void, aws::ServiceFailure> create_group();

  const CloudWatchLogsOptions& options_;
  LogsClient& client_;
  bool made_ = false;
  bool retention_due_ = false;
};

// The failure with what to do about it: which IAM action is missing, or what to create.
aws::ServiceFailure explained(aws::ServiceFailure failure, const CloudWatchLogsOptions& options,
                              const std::string& stream, const char* action);

}  // namespace invlog::exporters

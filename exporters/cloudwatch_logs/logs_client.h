// The operations of CloudWatch Logs that delivery and `invlog verify --delivered` need, as JSON 1.1
// over aws::ServiceClient. Source: botocore's service model logs/2014-03-28 (facts/aws-delivery.md
// §1).
//
// Threads: as its ServiceClient, one at a time. Ownership: the ServiceClient must outlive it.
// Errors: results, as ServiceClient classifies them, but for two: LimitExceeded at CreateLogGroup
// is the account's hard cap and therefore `rejected`, and OperationAborted (somebody else changes
// the same group just now) is `transient`. An answer that cannot be read is `transient`: nobody
// knows what became of the events.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/aws/service_client.h"
#include "exporters/aws/service_failure.h"

namespace invlog::exporters {

// rejectedLogEventsInfo: positions in the batch as sent. Foreign numbers: any value may be there.
struct RejectedEvents {
  std::optional<std::int64_t> too_new_start;  // this one and all after it: over 2 h ahead
  std::optional<std::int64_t> too_old_end;    // all before this one: over 14 days old
  std::optional<std::int64_t> expired_end;    // all before this one: over the group's retention
};

struct LogGroupShown {
  std::string name;
  std::string arn;      // "" if the answer has none
  std::string region;   // from the ARN, "" if it has none
  std::string account;  // from the ARN, "" if it has none
  // It has nothing yet and would keep everything for ever.
  bool is_new_and_unlimited = false;
};

// A page of a stream's messages, oldest first.
struct EventPage {
  std::vector<std::string> messages;
  std::string backward;  // token of the page before it
};

class LogsClient {
 public:
  explicit LogsClient(aws::ServiceClient& service) : service_(service) {}

  // `body`: the whole JSON request, compressed if `gzip`. `target` is for messages.
  tl::expected<RejectedEvents, aws::ServiceFailure> put_log_events(std::string_view body, bool gzip,
                                                                   const std::string& target);

  // The newest page of a stream, or the one that `token` names. The first page of all names itself
  // as the one before it.
  tl::expected<EventPage, aws::ServiceFailure> get_log_events(const std::string& group,
                                                              const std::string& stream,
                                                              const std::string& token);

  // True: made; false: it was there already.
  tl::expected<bool, aws::ServiceFailure> create_log_group(const std::string& group,
                                                           const std::string& kms_key_arn);
  tl::expected<bool, aws::ServiceFailure> create_log_stream(const std::string& group,
                                                            const std::string& stream);
  tl::expected<void, aws::ServiceFailure> put_retention_policy(const std::string& group, int days);

  // The first group, in alphabetical order, whose name begins with `prefix`: a group of just that
  // name if there is one.
  tl::expected<std::optional<LogGroupShown>, aws::ServiceFailure> first_log_group(
      const std::string& prefix);

 private:
  aws::ServiceResult call(const char* operation, std::string_view body, const std::string& what,
                          bool gzip = false);

  aws::ServiceClient& service_;
};

}  // namespace invlog::exporters

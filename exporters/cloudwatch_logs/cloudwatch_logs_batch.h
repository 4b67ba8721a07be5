// One batch of records on its way to CloudWatch Logs: one PutLogEvents call.
//
// The service takes a batch although it refuses some of its events, and says which by their
// positions; those become Sent::refused. A record whose line can never fit is refused here.
//
// Threads and ownership: as Batch; the destination and the Origin must outlive it. It needs no
// plan: sending again is sending the same events again.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "exporters/cloudwatch_logs/log_event_batch.h"
#include "exporters/cloudwatch_logs/logs_client.h"
#include "exporters/destination.h"

namespace invlog::exporters {

class CloudWatchLogsDestination;

class CloudWatchLogsBatch : public Batch {
 public:
  // `retry`: as Destination::begin() has it; the chain's head does not go with these.
  CloudWatchLogsBatch(CloudWatchLogsDestination& destination, const Origin& origin, bool retry);

  Added add(const storage::StoredRecord& record) override;
  bool full() const override { return refused_one_ || events_.full(); }
  std::size_t records() const override { return records_; }
  std::string plan() const override { return {}; }
  SendResult send() override;

 private:
  void encode();
  void compress(std::string request);
  // Of the events in their sent order.
  struct Waiting {
    std::size_t first = 0, count = 0;
  };
  Waiting events_that_wait(const RejectedEvents& rejected) const;
  aws::ServiceFailure wait_with(const Waiting& waiting, const RejectedEvents& rejected);
  tl::expected<RejectedEvents, aws::ServiceFailure> put();

  CloudWatchLogsDestination& destination_;
  const Origin& origin_;
  const bool retry_;
  LogEventBatch events_;
  std::vector<Refused> unfit_;  // too large whatever is cut
  std::size_t records_ = 0;
  bool refused_one_ = false;
  std::string request_;  // once encoded, "" before
  bool gzip_ = false;
  std::size_t request_bytes_ = 0;  // before compression
  // Of the attempts of which some events were too new: what went then, and never will.
  std::size_t sent_bytes_ = 0;
  std::vector<Refused> refused_;
};

// A service that cannot read a compressed body finds no JSON in it, or says so.
bool is_about_encoding(const aws::ServiceFailure& failure);

// Which of these events the service refused, and why, for a person. `sent`: in the order in which
// they were sent. Positions that are beyond them are taken for their end.
std::vector<Refused> refused_events(const std::vector<LogEventBatch::Event>& sent,
                                    const RejectedEvents& rejected);

}  // namespace invlog::exporters

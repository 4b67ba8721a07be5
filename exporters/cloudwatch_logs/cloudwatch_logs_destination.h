// CloudWatch Logs as a destination: one AWS-schema line for each record, in batches, to one stream
// of one log group in the source Region; and beside it, in the stream "<stream>/integrity", the
// heads of the store's chain as they come.
//
// Delivery is at least once: the service does not recognise a batch that it has taken before, so if
// its answer is lost the batch is there twice.
//
// Threads: one, as Destination. Ownership: HttpClient and provider must outlive it. Errors:
// results.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/aws/service_client.h"
#include "exporters/cloudwatch_logs/cloudwatch_logs_options.h"
#include "exporters/cloudwatch_logs/event_message.h"
#include "exporters/cloudwatch_logs/log_group_setup.h"
#include "exporters/cloudwatch_logs/log_target.h"
#include "exporters/cloudwatch_logs/logs_client.h"
#include "exporters/destination.h"
#include "exporters/patient_caller.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

class CloudWatchLogsDestination : public Destination {
 public:
  // `host`: this host's name. `s3`: the S3 destination's options, if there is one: bodies that do
  // not fit are pointed to there. `times`: for what is tried again at once, which is kept_heads()
  // alone.
  CloudWatchLogsDestination(CloudWatchLogsOptions options, const std::string& host,
                            aws::HttpClient& http, aws::CredentialsProvider& credentials,
                            aws::SystemClock clock = std::chrono::system_clock::now,
                            std::optional<S3Options> s3 = std::nullopt, CallTimes times = {});

  std::string name() const override { return "cloudwatch_logs"; }
  std::string target() const override { return target_.group + " " + target_.stream; }
  tl::expected<void, aws::ServiceFailure> prove(const Origin& origin) override;
  std::unique_ptr<Batch> begin(const Origin& origin, const std::string& plan, bool retry) override;
  // So many of the newest pages (about 3,000 heads each) of the stream that send_chain_head()
  // writes to are read back; more only as long as they have no head of this store.
  static constexpr int kMostHeadPages = 20;
  // From that stream; needs logs:GetLogEvents.
  tl::expected<std::vector<KeptHead>, aws::ServiceFailure> kept_heads(
      const Origin& origin, std::int64_t since_us, const std::vector<std::string>& given) override;
  std::vector<Check> check(const Origin& origin) override;

 private:
  friend class CloudWatchLogsBatch;

  // The part of the Region guard that needs no call.
  tl::expected<void, aws::ServiceFailure> check_configuration(const Origin& origin) const;
  // Whether the Region (and the account, where it is known) of what the endpoint shows is ours. The
  // value: whether it showed anything.
  tl::expected<bool, aws::ServiceFailure> prove_region(const Origin& origin);
  // One attempt; makes group and stream if they are gone, and then makes one more.
  tl::expected<RejectedEvents, aws::ServiceFailure> put(std::string_view body, bool gzip,
                                                        const std::string& stream);
  // Sends the chain's head if it is newer than the last one sent. What went wrong is logged and
  // tried again with the next batch, and the value if the service asks for a slower pace.
  std::optional<aws::ServiceFailure> send_chain_head(const Origin& origin);
  tl::expected<void, aws::ServiceFailure> send_line(const std::string& stream,
                                                    std::string_view line, bool gzip = false);
  // The service's time as far as it is known, Unix ms; and this host's own.
  std::int64_t now_ms() const;
  std::int64_t host_now_ms() const;

  void check_group(const Origin& origin, std::vector<Check>& checks);
  void check_creating(std::vector<Check>& checks);
  void check_put(std::vector<Check>& checks);
  void check_integrity(std::vector<Check>& checks);

  const CloudWatchLogsOptions options_;
  const LogTarget target_;
  aws::ServiceClient service_;
  LogsClient client_{service_};
  LogGroupSetup setup_{options_, client_};
  const EventMessage messages_;
  PatientCaller head_caller_;
  std::int64_t last_chain_segment_ = 0;
  std::int64_t warned_chain_segment_ = 0;  // said once that this one was not delivered
  bool gzip_taken_ = true;                 // until the service refuses it
};

}  // namespace invlog::exporters

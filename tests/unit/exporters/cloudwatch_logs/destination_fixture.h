// A CloudWatch Logs destination over the fake service, with a clock that stands still, and records
// to send.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "exporters/cloudwatch_logs/cloudwatch_logs_destination.h"
#include "tests/unit/exporters/cloudwatch_logs/fake_logs_service.h"

namespace invlog::test {

inline constexpr const char* kGroup = "/invlog/records";
inline constexpr const char* kStream = "aws/bedrock/modelinvocations";
inline constexpr const char* kIntegrity = "aws/bedrock/modelinvocations/integrity";

struct DestinationFixture {
  DestinationFixture() {
    options.region = "eu-central-1";
    options.log_group = kGroup;
    origin.store.region = "eu-central-1";
    origin.store.account_id = "111122223333";
    origin.store.host = "host-7";
    origin.instance = std::string(32, 'a');
  }

  // Made at the first use, so that a test can change the options before.
  exporters::CloudWatchLogsDestination& destination() {
    if (!made_) {
      made_ = std::make_unique<exporters::CloudWatchLogsDestination>(
          options, "host-7", service, credentials,
          [this] {
            return std::chrono::system_clock::time_point(std::chrono::milliseconds(service.now_ms));
          },
          std::nullopt, times);
    }
    return *made_;
  }
  // As a restart: what the destination had in memory is gone.
  void restart() { made_.reset(); }

  // A record that began `offset_ms` after the service's now.
  storage::StoredRecord record(std::int64_t id, std::int64_t offset_ms = 0,
                               std::string body = "{}") const {
    storage::StoredRecord stored;
    stored.id = id;
    stored.host = "host-7";
    stored.record.started_at_us = (service.now_ms + offset_ms) * 1000;
    stored.record.request_id = "request-" + std::to_string(id);
    stored.record.request = {std::move(body), "application/json", true, false};
    return stored;
  }

  std::unique_ptr<exporters::Batch> batch() { return destination().begin(origin, "", false); }

  // A batch of one record, sent.
  exporters::SendResult send_one(std::int64_t id, std::int64_t offset_ms = 0) {
    const auto one = batch();
    one->add(record(id, offset_ms));
    return one->send();
  }

  FakeLogsService service;
  TestCredentials credentials;
  exporters::CloudWatchLogsOptions options;
  exporters::Origin origin;
  exporters::CallTimes times;  // nothing waits

 private:
  std::unique_ptr<exporters::CloudWatchLogsDestination> made_;
};

}  // namespace invlog::test

// CloudWatch Logs in the delivery model: FakeLogsService, which enforces the limits of a batch, and
// beside that the signature's time; and the books of which record is there how often.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "tests/unit/exporters/cloudwatch_logs/fake_logs_service.h"
#include "tests/unit/exporters/model/model_service.h"

namespace invlog::exporters {

class ModelLogs : public ModelService {
 public:
  // `origin`: says which records the service does not take.
  ModelLogs(FaultSource& faults, ModelTime& time, const StoreTemplate& origin);

  std::unique_ptr<Destination> connect() override;
  int copies(std::int64_t record) const override;
  std::string verdict(const ModelStore& store, const DeadReasons& dead) const override;

 protected:
  // An oddity: it finds events too old or too new that it would have taken.
  aws::HttpResponse perform(const aws::HttpRequest& request, int oddity) override;
  aws::HttpResponse refusal(int kind) override;

 private:
  void keep_books(const std::string& request);
  std::string fate(std::int64_t id, const ModelStore& store, const DeadReasons& dead) const;

  const StoreTemplate& origin_;
  test::FakeLogsService logs_;
  std::size_t counted_ = 0;              // events of the stream
  std::map<std::int64_t, int> copies_;   // by record
  std::set<std::int64_t> refused_once_;  // records that rejectedLogEventsInfo was about
};

}  // namespace invlog::exporters

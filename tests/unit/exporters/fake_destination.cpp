#include "tests/unit/exporters/fake_destination.h"

#include <algorithm>

namespace invlog::exporters {
namespace {

using Call = FakeService::Call;

std::optional<aws::ServiceFailure> fault(FakeService& service, Call call, bool done = false) {
  return service.fault ? service.fault(call, done) : std::nullopt;
}

class FakeBatch : public Batch {
 public:
  // `key` "": single records out of the dead letters, named after the first.
  FakeBatch(const FakeOptions& options, FakeService& service, std::string key, bool planned)
      : options_(options), service_(service), key_(std::move(key)), planned_(planned) {}

  Added add(const storage::StoredRecord& record) override {
    fault(service_, Call::add);
    if (!planned_ && full()) {
      return Added::full;
    }
    records_.push_back(record.id);
    bytes_ += record.record.request.bytes.size();
    return Added::taken;
  }
  bool full() const override { return records_.size() >= options_.batch_records; }
  std::size_t records() const override { return records_.size(); }
  std::string plan() const override {
    fault(service_, Call::plan);
    return options_.plans ? "{\"key\":\"" + key() + "\"}" : "";
  }
  SendResult send() override {
    ++service_.sends;
    service_.batch_sizes.push_back(records_.size());
    if (auto failure = fault(service_, Call::send)) {
      return tl::unexpected(*failure);
    }
    for (const std::int64_t record : records_) {
      if (service_.poison.count(record) != 0) {
        return tl::unexpected(failure_with(aws::FailureKind::rejected, "poisoned"));
      }
    }
    Sent sent = keep();
    if (auto failure = fault(service_, Call::send, true)) {
      return tl::unexpected(*failure);
    }
    return sent;
  }

 private:
  std::string key() const {
    return key_.empty() ? "retry-" + std::to_string(records_.front()) : key_;
  }

  Sent keep() {
    Sent sent;
    std::vector<std::int64_t> kept;
    for (const std::int64_t record : records_) {
      if (service_.refused.count(record) != 0) {
        sent.refused.push_back({record, "too old"});
      } else {
        kept.push_back(record);
      }
    }
    if (options_.plans) {
      const auto known = service_.objects.find(key());
      service_.overwritten_differently |= known != service_.objects.end() && known->second != kept;
      service_.objects[key()] = kept;
    } else {
      service_.events.insert(service_.events.end(), kept.begin(), kept.end());
    }
    sent.bytes = 100 * kept.size();
    sent.line_bytes = bytes_;
    sent.places = {key()};
    return sent;
  }

  const FakeOptions& options_;
  FakeService& service_;
  const std::string key_;
  const bool planned_;
  std::vector<std::int64_t> records_;
  std::uint64_t bytes_ = 0;
};

}  // namespace

int FakeService::copies(std::int64_t record) const {
  auto count = std::count(events.begin(), events.end(), record);
  for (const auto& [key, records] : objects) {
    count += std::count(records.begin(), records.end(), record);
  }
  return static_cast<int>(count);
}

tl::expected<void, aws::ServiceFailure> FakeDestination::prove(const Origin&) {
  ++service_.proofs;
  if (auto failure = fault(service_, Call::prove)) {
    return tl::unexpected(*failure);
  }
  return {};
}

std::unique_ptr<Batch> FakeDestination::begin(const Origin& origin, const std::string& plan,
                                              bool retry) {
  fault(service_, Call::begin);
  origins.push_back(origin);
  plans.push_back(plan);
  std::string key = retry ? "" : "batch-" + std::to_string(++service_.keys);
  if (!plan.empty()) {
    const std::string before = "{\"key\":\"";
    key = plan.substr(before.size(), plan.size() - before.size() - 2);
  }
  return std::make_unique<FakeBatch>(options_, service_, key, !plan.empty());
}

std::vector<Destination::Check> FakeDestination::check(const Origin&) {
  ++service_.check_calls;
  return service_.checks;
}

aws::ServiceFailure failure_with(aws::FailureKind kind, const std::string& message) {
  aws::ServiceFailure failure;
  failure.kind = kind;
  failure.message = message.empty() ? std::string(aws::name_of(kind)) + " on purpose" : message;
  return failure;
}

}  // namespace invlog::exporters

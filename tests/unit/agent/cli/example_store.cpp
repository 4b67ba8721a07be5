#include "tests/unit/agent/cli/example_store.h"

#include <stdexcept>
#include <utility>

#include "storage/writer.h"

namespace invlog::tests {
namespace {

using storage::Record;

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kFirstCall = 1'791'208'800 * kSecond;  // 2026-10-05T14:00:00Z
constexpr std::int64_t kDay = 86'400 * kSecond;

class ReadyRecord : public storage::PendingRecord {
 public:
  explicit ReadyRecord(Record record) : record_(std::move(record)) {}
  std::size_t memory_bytes() const override { return record_.memory_bytes(); }
  Record build() override { return std::move(record_); }

 private:
  Record record_;
};

storage::Body json_body(std::string text) {
  storage::Body body;
  body.bytes = std::move(text);
  body.content_type = "application/json";
  body.is_json = true;
  return body;
}

Record call(std::int64_t started_at_us, const char* model, std::string request,
            std::string response) {
  Record record;
  record.started_at_us = started_at_us;
  record.duration_us = 1500 * 1000;
  record.operation = "Converse";
  record.model_id = model;
  record.outcome = "complete";
  record.status = 200;
  record.input_tokens = 1000;
  record.output_tokens = 10;
  record.caller = "alice";
  record.request = json_body(std::move(request));
  record.response = json_body(std::move(response));
  return record;
}

void write(const std::string& path, std::vector<Record> records) {
  storage::WriterOptions options;
  options.path = path;
  options.region = "eu-central-1";
  options.account_id = "123456789012";
  options.host = "test-host";
  options.agent_version = "test";
  storage::Writer writer(options);
  for (Record& record : records) {
    std::unique_ptr<storage::PendingRecord> pending =
        std::make_unique<ReadyRecord>(std::move(record));
    if (writer.submit(pending) != storage::Submitted::queued) {
      throw std::runtime_error("the example store took no record");
    }
  }
  writer.stop();
}

std::vector<Record> example_records() {
  std::vector<Record> records;
  records.push_back(call(kFirstCall, "nova", R"({"text":"Hello"})", R"({"text":"Hi"})"));
  records.push_back(call(kFirstCall + 60 * kSecond, "nova",
                         R"({"text":"in M\u00fcnchen \ud83d\ude00"})",
                         R"({"text":"Grüß \"dich\""})"));
  records.back().request_id = kSecondRequestId;
  records.back().cache_read_tokens = 500;
  records.back().cache_write_tokens = 50;
  records.push_back(call(kFirstCall + kDay - 5 * 3600 * kSecond, "claude", R"({"text":"bad"})",
                         R"({"message":"no"})"));
  records.back().status = 400;
  records.back().error_code = "ValidationException";
  records.back().caller = "bob";
  records.back().input_tokens.reset();
  records.back().output_tokens.reset();
  records.back().duration_us = 20 * 1000;
  records.push_back(call(records.back().started_at_us + 60 * kSecond, "claude",
                         R"({"text":"long"})", R"({"text":"cut)"));
  records.back().operation = "ConverseStream";
  records.back().outcome = "client-closed";
  records.back().caller = "bob";
  records.back().response.is_json = false;
  records.back().response.truncated = true;
  records.push_back(call(kFirstCall + kDay + 10 * 3600 * kSecond, "image", kBinaryRequest, ""));
  records.back().operation = "InvokeModel";
  records.back().request.is_json = false;
  records.back().request.content_type = "image/png";
  records.back().response = {};
  records.back().caller.clear();
  records.push_back(call(records.back().started_at_us + kSecond, "nova",
                         "{\n  \"text\": \"two\\nlines, \\\"quoted\\\"\"\n}", "{}"));
  return records;
}

}  // namespace

ExampleStore::ExampleStore() {
  write(path(), example_records());
}

cli::StoreOptions ExampleStore::options() const {
  cli::StoreOptions options;
  options.store = path();
  return options;
}

void ExampleStore::append(const std::string& request_text, const std::string& details,
                          const std::string& request_metadata,
                          const std::string& request_id) const {
  Record record = call(kFirstCall + 10 * kDay, "nova", "{\"text\":\"" + request_text + "\"}", "{}");
  record.details = details;
  record.request_metadata = request_metadata;
  record.request_id = request_id;
  write(path(), {std::move(record)});
}

}  // namespace invlog::tests

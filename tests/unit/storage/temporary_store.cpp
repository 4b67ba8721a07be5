#include "tests/unit/storage/temporary_store.h"

#include <sqlite3.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <random>
#include <stdexcept>

namespace invlog::storage {
namespace {

constexpr std::size_t kPage = 4096;

std::string run_sql(const std::string& path, const std::string& sql) {
  sqlite3* connection = nullptr;
  sqlite3_open(path.c_str(), &connection);
  std::string first;
  const auto keep = [](void* out, int columns, char** values, char**) {
    auto& text = *static_cast<std::string*>(out);
    if (text.empty() && columns > 0 && values[0] != nullptr) {
      text = values[0];
    }
    return 0;
  };
  char* message = nullptr;
  sqlite3_exec(connection, sql.c_str(), keep, &first, &message);
  const std::string error = message != nullptr ? message : "";
  sqlite3_free(message);
  sqlite3_close(connection);
  if (!error.empty()) {
    throw std::runtime_error(sql + ": " + error);
  }
  return first;
}

}  // namespace

TemporaryStore::TemporaryStore() {
  // In memory where the system has such a place: hundreds of commits need not wait for a disk here.
  const std::filesystem::path memory = "/dev/shm";
  const std::filesystem::path parent =
      std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  std::string name = parent / "invlog-test-XXXXXX";
  if (::mkdtemp(name.data()) == nullptr) {
    throw std::runtime_error("cannot create " + name);
  }
  directory_ = name;
}

TemporaryStore::~TemporaryStore() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

WriterOptions TemporaryStore::options() const {
  WriterOptions options;
  options.path = path();
  options.region = "eu-central-1";
  options.account_id = "111122223333";
  options.host = "test-host";
  options.agent_version = "test";
  options.lock_patience = std::chrono::milliseconds(0);
  return options;
}

void TemporaryStore::tamper(const std::string& sql) const {
  run_sql(path(), sql);
}

std::string TemporaryStore::query(const std::string& sql) const {
  return run_sql(path(), sql);
}

Record record_with(std::string request, std::string response) {
  Record record;
  record.started_at_us = 1'790'000'000'000'000;
  record.operation = "Converse";
  record.model_id = "eu.amazon.nova-2-lite-v1:0";
  record.outcome = "complete";
  record.status = 200;
  record.request = {std::move(request), "application/json", true, false};
  record.response = {std::move(response), "application/json", true, false};
  return record;
}

Record full_record() {
  Record record;
  record.started_at_us = 1'790'000'000'123'456;
  record.duration_us = 1'234'567;
  record.first_byte_us = 89'012;
  record.operation = "ConverseStream";
  record.model_id = "eu.amazon.nova-2-lite-v1:0";
  record.profile = "eu.amazon.nova-2-lite-v1:0";
  record.scope = "geographic";
  record.decision = "flag";
  record.inference_region = "eu-west-3";
  record.request_id = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11";
  record.sdk_invocation_id = "7e2c6f50-53a8-4b8b-8f43-000000000001";
  record.outcome = "client-closed";
  record.status = 200;
  record.error_code = "throttlingException";
  record.stop_reason = "end_turn";
  record.input_tokens = 3;
  record.output_tokens = 150;
  record.cache_read_tokens = 0;
  record.cache_write_tokens = 28857;
  record.stream = true;
  record.identity_arn = "arn:aws:sts::111122223333:assumed-role/app/session";
  record.caller = "www-data";
  record.caller_executable = "/usr/bin/python3.11";
  record.caller_pid = 4711;
  record.request_metadata = R"({"team":"orchestrator"})";
  record.details = R"({"damage":"crc"})";
  record.request = {R"({"messages":[]})", "application/json", true, false};
  record.response = {std::string("\x00\xff\n binary", 10), "application/octet-stream", false, true};
  return record;
}

bool same_record(const Record& a, const Record& b) {
  const auto fields = [](const Record& r) {
    return std::tie(r.started_at_us, r.duration_us, r.first_byte_us, r.operation, r.model_id,
                    r.profile, r.scope, r.decision, r.inference_region, r.request_id,
                    r.sdk_invocation_id, r.outcome, r.status, r.error_code, r.stop_reason,
                    r.input_tokens, r.output_tokens, r.cache_read_tokens, r.cache_write_tokens,
                    r.stream, r.identity_arn, r.caller, r.caller_executable, r.caller_pid,
                    r.request_metadata, r.details);
  };
  const auto body = [](const Body& b) {
    return std::tie(b.bytes, b.content_type, b.is_json, b.truncated);
  };
  return fields(a) == fields(b) && body(a.request) == body(b.request) &&
         body(a.response) == body(b.response);
}

void fill_marked(const TemporaryStore& store) {
  Writer writer(store.options());
  for (std::uint64_t id = 1; id <= 300; ++id) {
    Record record = record_with(noise(3000, id), "");
    record.details = "{\"marker\":\"number-" + std::to_string(id) + "-\"}";
    submit(writer, std::move(record));
  }
}

void repeat_a_page_twice(const TemporaryStore& store) {
  std::fstream file(store.path(), std::ios::in | std::ios::out | std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto page_of = [&bytes](int id) {
    const std::size_t at = bytes.find("number-" + std::to_string(id) + "-");
    if (at == std::string::npos) {
      throw std::runtime_error("no page has record " + std::to_string(id));
    }
    return at / kPage * kPage;
  };
  int next = 150;
  while (page_of(next) == page_of(150)) {
    ++next;
  }
  for (const int id : {150, next}) {
    file.seekp(static_cast<std::streamoff>(page_of(id)));
    file.write(bytes.data() + page_of(50), kPage);
  }
}

void damage_page(const std::string& path, std::int64_t page) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(static_cast<std::streamoff>(page - 1) * static_cast<std::streamoff>(kPage));
  file.write("\x7f\x7f\x7f\x7f", 4);
  if (!file.flush()) {
    throw std::runtime_error("cannot damage " + path);
  }
}

void damage_page_of(const TemporaryStore& store, const std::string& text) {
  std::ifstream file(store.path(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const std::size_t at = bytes.find(text);
  if (at == std::string::npos) {
    throw std::runtime_error("no page has " + text);
  }
  damage_page(store.path(), static_cast<std::int64_t>(at / kPage) + 1);
}

void submit(Writer& writer, Record record, Writer::Committed committed, Writer::IntentId intent) {
  std::unique_ptr<PendingRecord> pending = std::make_unique<ReadyRecord>(std::move(record));
  while (writer.submit(pending, committed, intent) != Submitted::queued) {
    std::promise<void> room;
    writer.when_room([&room] { room.set_value(); });
    room.get_future().wait();
  }
}

bool submit_and_wait(Writer& writer, Record record, Writer::IntentId intent) {
  std::promise<bool> committed;
  submit(
      writer, std::move(record), [&committed](bool ok) { committed.set_value(ok); }, intent);
  return committed.get_future().get();
}

Writer::IntentId submit_intent_and_wait(Writer& writer, Record record) {
  std::promise<bool> committed;
  std::unique_ptr<PendingRecord> pending = std::make_unique<ReadyRecord>(std::move(record));
  Writer::IntentId intent = 0;
  writer.submit_intent(pending, intent, [&committed](bool ok) { committed.set_value(ok); });
  return committed.get_future().get() ? intent : 0;
}

std::string noise(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string bytes(size, '\0');
  for (char& byte : bytes) {
    byte = static_cast<char>(random());
  }
  return bytes;
}

std::string prose(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < size) {
    text += "word" + std::to_string(random() % 5000) + (random() % 12 == 0 ? ". " : " ");
  }
  text.resize(size);
  return text;
}

}  // namespace invlog::storage

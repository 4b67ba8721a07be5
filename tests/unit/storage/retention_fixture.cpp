#include "tests/unit/storage/retention_fixture.h"

#include <chrono>
#include <thread>

#include "storage/verify.h"
#include "tests/catch.h"

namespace invlog::storage {

RetentionFixture::RetentionFixture()
    : now(std::make_shared<std::atomic<std::int64_t>>(1'790'000'000 * kSecondUs)) {}

WriterOptions RetentionFixture::options() const {
  WriterOptions options = store.options();
  options.commit_interval = std::chrono::milliseconds(2);
  options.clock = [now = now] { return now->load(); };
  options.retention.max_size_bytes = kCap;
  options.retention.destinations = {"s3"};
  return options;
}

std::unique_ptr<DeliveryLedger> RetentionFixture::ledger() const {
  auto opened = DeliveryLedger::open(store.path(), "", [now = now] { return now->load(); });
  REQUIRE(opened.has_value());
  return std::move(*opened);
}

std::uint64_t RetentionFixture::size() const {
  const auto size_of = [](const std::string& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    return error ? 0 : size;
  };
  return size_of(store.path()) + size_of(store.path() + "-wal");
}

std::int64_t RetentionFixture::number(const std::string& sql) const {
  const std::string text = store.query(sql);
  return text.empty() ? 0 : std::stoll(text);
}

void RetentionFixture::check_whole() const {
  for (const VerifyProblem& problem : verify_store(store.path(), {}).problems) {
    FAIL_CHECK(problem.where << ": " << problem.what);
  }
}

Record noisy_record(std::int64_t number, std::size_t bytes) {
  return record_with(noise(bytes, static_cast<std::uint64_t>(number)), std::to_string(number));
}

bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 2000 && !condition(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

}  // namespace invlog::storage

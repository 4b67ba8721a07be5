#include "agent/capture/storage_log.h"

#include <spdlog/sinks/ostream_sink.h>

#include <algorithm>
#include <memory>
#include <sstream>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

// The log's lines, for as long as it lives.
class CaughtLog {
 public:
  CaughtLog() : before_(spdlog::default_logger()) {
    auto logger = std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_));
    logger->set_pattern("%l %v");
    spdlog::set_default_logger(std::move(logger));
  }
  ~CaughtLog() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }
  long lines() const {
    const std::string all = text();
    return std::count(all.begin(), all.end(), '\n');
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace

TEST_CASE("A store that takes no records is said at once, once a minute, and when it is over") {
  CaughtLog log;
  StorageLog storage;
  StorageLog::Time now{};
  storage::WriterStatus store;
  store.dropped = 5;
  storage.look(store, now);
  CHECK(log.lines() == 0);
  store.failing = true;
  store.last_error = "disk full";
  for (int second = 0; second < 150; ++second) {
    store.dropped += 10;
    storage.look(store, now += seconds(1));
  }
  CHECK(log.lines() == 3);
  CHECK(log.text().find("error the store takes no records: disk full\n") == 0);
  CHECK(log.text().find("since 120 s, 1210 are lost and 0 wait: disk full\n") != std::string::npos);
  store.failing = false;
  storage.look(store, now);
  CHECK(log.lines() == 4);
  CHECK(log.text().find("info the store takes records again, after 149 s; 1500 were lost\n") !=
        std::string::npos);
}

TEST_CASE("The end says what was lost since the last word, and whether the store tells") {
  CaughtLog log;
  StorageLog storage;
  storage::WriterStatus store;
  store.dropped = 5;
  storage.look(store, StorageLog::Time{});
  storage.end(store, "");
  CHECK(log.lines() == 0);
  store.dropped = 7;
  storage.end(store, "");
  CHECK(log.text() ==
        "error 2 records are lost; events of the kind \"dropped\" in the store say so\n");
  store.untold_drops = 1;
  store.last_error = "disk full";
  storage.end(store, "");
  CHECK(log.text().find("error 1 records are lost, and the store took no row that says so (disk "
                        "full): the next start writes it\n") != std::string::npos);
  storage.end(store, "status.json: disk full");
  CHECK(log.text().find("only this line does, since status.json: disk full") != std::string::npos);
}

TEST_CASE("What went by max_age is said, at most once an hour") {
  CaughtLog log;
  StorageLog storage;
  StorageLog::Time now{};
  storage::WriterStatus store;
  for (int minute = 0; minute < 90; ++minute) {
    store.aged += 5;
    storage.look(store, now += std::chrono::minutes(1));
  }
  CHECK(log.text() ==
        "info 5 records older than [retention] max_age were taken away\n"
        "info 300 records older than [retention] max_age were taken away\n");
}

TEST_CASE("A cause that changes its words is said once a minute all the same") {
  CaughtLog log;
  StorageLog storage;
  StorageLog::Time now{};
  storage::WriterStatus store;
  for (int second = 0; second < 130; ++second) {
    store.retention_error = "no room for " + std::to_string(second);
    storage.look(store, now += seconds(1));
  }
  CHECK(log.lines() == 3);
  CHECK(log.text().find("(60 times since this was said last)") != std::string::npos);
}

}  // namespace invlog::capture

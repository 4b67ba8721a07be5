#include "agent/logging/queued_sink.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "exporters/log_fields.h"
#include "tests/catch.h"

using namespace invlog;
using namespace invlog::logging;
using std::chrono::milliseconds;

namespace {

// What is written, as "text|message id|request id"; not before it is let go.
class SlowSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit SlowSink(std::shared_future<void> go) : go_(std::move(go)) {}
  std::atomic<bool> entered{false};
  std::vector<std::string> lines() {
    const std::lock_guard lock(mutex_);
    return lines_;
  }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    entered = true;
    go_.wait();
    const LogFields& about = LogContext::current();
    lines_.push_back(std::string(message.payload.data(), message.payload.size()) + "|" +
                     std::string(about.message_id) + "|" + std::string(about.request_id));
  }
  void flush_() override {}

 private:
  std::shared_future<void> go_;
  std::vector<std::string> lines_;
};

struct QueuedSinkScene {
  std::promise<void> go;
  std::shared_ptr<SlowSink> slow = std::make_shared<SlowSink>(go.get_future().share());
};

}  // namespace

TEST_CASE("lines come in order, with what they are about") {
  QueuedSinkScene scene;
  scene.go.set_value();
  spdlog::logger logger("test", std::make_shared<QueuedSink>(scene.slow));
  {
    const std::string request = "r-1";
    const LogContext context({log_message::kCallEnded, request});
    logger.info("one");
  }
  logger.info("two");
  logger.flush();
  CHECK(scene.slow->lines() ==
        std::vector<std::string>{"one|" + std::string(log_message::kCallEnded) + "|r-1", "two||"});
}

TEST_CASE("whoever logs does not wait for a sink that stands still, and what is lost is said") {
  QueuedSinkScene scene;
  const auto queued = std::make_shared<QueuedSink>(scene.slow, 10'000);
  spdlog::logger logger("test", queued);
  logger.info("line 0");
  while (
      !scene.slow->entered) {  // what is taken out later than that would make room for later lines
    std::this_thread::yield();
  }
  for (int line = 1; line < 1000; ++line) {
    logger.info("line {}", line);
  }
  scene.go.set_value();
  logger.flush();
  const std::vector<std::string> lines = scene.slow->lines();
  REQUIRE(lines.size() > 10);
  CHECK(lines.size() < 60);
  for (std::size_t line = 0; line + 1 < lines.size(); ++line) {
    CHECK(lines[line] == "line " + std::to_string(line) + "||");
  }
  CHECK(lines.back().find(std::to_string(1000 - (lines.size() - 1)) +
                          " lines of the log are lost") == 0);
  logger.info("it goes on");
  logger.flush();
  CHECK(scene.slow->lines().back() == "it goes on||");
}

TEST_CASE("the end does not wait for ever for a sink that stands still") {
  QueuedSinkScene scene;
  {
    spdlog::logger logger("test",
                          std::make_shared<QueuedSink>(scene.slow, 10'000, milliseconds(1)));
    logger.info("never");
    while (!scene.slow->entered) {
      std::this_thread::yield();
    }
    logger.info("written");
  }
  CHECK(scene.slow.use_count() == 2);  // ours, and that of the thread that was left behind
  scene.go.set_value();
  while (scene.slow.use_count() > 1) {
    std::this_thread::yield();
  }
  CHECK(scene.slow->lines().size() <= 1);
}

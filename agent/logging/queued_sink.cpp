#include "agent/logging/queued_sink.h"

#include <spdlog/details/log_msg_buffer.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "exporters/log_fields.h"

namespace invlog::logging {
namespace {

// About what a line takes beside its text.
constexpr std::size_t kLineBytes = 256;

struct Line {
  explicit Line(const spdlog::details::log_msg& logged)
      : message(logged),
        message_id(LogContext::current().message_id),
        request_id(LogContext::current().request_id) {}
  std::size_t bytes() const { return message.payload.size() + request_id.size() + kLineBytes; }

  spdlog::details::log_msg_buffer message;
  std::string message_id, request_id;
};

}  // namespace

struct QueuedSink::Queue {
  Queue(std::shared_ptr<spdlog::sinks::sink> sink, std::size_t most)
      : behind(std::move(sink)), most_bytes(most) {}

  const std::shared_ptr<spdlog::sinks::sink> behind;
  const std::size_t most_bytes;

  std::mutex mutex;
  std::condition_variable came, written;
  std::deque<Line> lines;
  std::size_t bytes = 0;  // of `lines`
  std::size_t lost = 0;   // since the last line that had room
  bool writing = false;   // a line was taken out and is not written yet
  bool ending = false;
};

QueuedSink::QueuedSink(std::shared_ptr<spdlog::sinks::sink> behind, std::size_t most_bytes,
                       std::chrono::milliseconds patience)
    : queue_(std::make_shared<Queue>(std::move(behind), most_bytes)),
      patience_(patience),
      thread_(write_lines, queue_) {}

QueuedSink::~QueuedSink() {
  flush();
  std::unique_lock lock(queue_->mutex);
  queue_->ending = true;
  queue_->came.notify_one();
  const bool comes_back = !queue_->writing;
  lock.unlock();
  if (comes_back) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

void QueuedSink::log(const spdlog::details::log_msg& message) {
  Line line(message);
  const std::lock_guard lock(queue_->mutex);
  if (queue_->bytes + line.bytes() > queue_->most_bytes) {
    ++queue_->lost;
    return;
  }
  queue_->bytes += line.bytes();
  queue_->lines.push_back(std::move(line));
  queue_->came.notify_one();
}

void QueuedSink::flush() {
  std::unique_lock lock(queue_->mutex);
  queue_->written.wait_for(lock, patience_,
                           [this] { return queue_->lines.empty() && !queue_->writing; });
}

void QueuedSink::set_pattern(const std::string& pattern) {
  queue_->behind->set_pattern(pattern);
}

void QueuedSink::set_formatter(std::unique_ptr<spdlog::formatter> formatter) {
  queue_->behind->set_formatter(std::move(formatter));
}

void QueuedSink::write_lines(const std::shared_ptr<Queue>& queue) {
  std::unique_lock lock(queue->mutex);
  while (true) {
    queue->came.wait(lock, [&queue] { return queue->ending || !queue->lines.empty(); });
    if (queue->ending) {
      return;
    }
    const Line line = std::move(queue->lines.front());
    queue->lines.pop_front();
    queue->bytes -= line.bytes();
    // Those that came after the last one there was room for.
    const std::size_t lost = queue->lines.empty() ? std::exchange(queue->lost, 0) : 0;
    queue->writing = true;
    lock.unlock();
    try {
      {
        const LogContext context({line.message_id, line.request_id});
        queue->behind->log(line.message);
      }
      if (lost > 0) {
        const std::string text = std::to_string(lost) +
                                 " lines of the log are lost: they were not taken in time by what "
                                 "it is written to";
        queue->behind->log(
            spdlog::details::log_msg(line.message.logger_name, spdlog::level::warn, text));
      }
      queue->behind->flush();
    } catch (...) {
      // As the logger does with what a sink throws, but that there is nobody to tell.
    }
    lock.lock();
    queue->writing = false;
    queue->written.notify_all();
  }
}

}  // namespace invlog::logging

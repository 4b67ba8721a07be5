// Keeps whoever logs from waiting for whoever reads the log: a terminal that is paused, a journal
// that stands still on a full disk, a pipe that nobody reads. Lines go into a bounded queue, and a
// thread of its own writes them. (spdlog's own asynchronous logger waits at its end for as long as
// the sink does, and does not carry LogContext.)
//
// Threads: log() from any; the sink behind it is called on the queue's thread only, with the
// LogContext of the line. Ownership: shares the sink; a thread that does not come back from it is
// left behind with it. Errors: lines for which there is no room are lost and counted, which the log
// says as soon as it goes on.
#pragma once

#include <spdlog/sinks/sink.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>

namespace invlog::logging {

class QueuedSink : public spdlog::sinks::sink {
 public:
  // `most_bytes`: of lines that wait. `patience`: how long the end waits for those.
  explicit QueuedSink(std::shared_ptr<spdlog::sinks::sink> behind,
                      std::size_t most_bytes = std::size_t{1} << 20,
                      std::chrono::milliseconds patience = std::chrono::seconds(2));
  ~QueuedSink() override;

  void log(const spdlog::details::log_msg& message) override;
  // Of what waits: at most `patience` long.
  void flush() override;
  void set_pattern(const std::string& pattern) override;
  void set_formatter(std::unique_ptr<spdlog::formatter> formatter) override;

 private:
  struct Queue;
  static void write_lines(const std::shared_ptr<Queue>& queue);

  const std::shared_ptr<Queue> queue_;  // the thread's, too
  const std::chrono::milliseconds patience_;
  std::thread thread_;
};

}  // namespace invlog::logging

// Keeps status.json up to date.
//
// Why a thread of its own: the disk may hang, and nothing that calls wait for may wait behind it.
//
// Thread: the I/O thread; the file is written on the writer's own. Errors: what cannot be written
// is a warning in the log.
#pragma once

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <string>
#include <utility>

#include "agent/capture/rare_warning.h"
#include "agent/capture/status_file.h"

namespace invlog::capture {

class StatusWriter {
 public:
  explicit StatusWriter(std::string path) : path_(std::move(path)) {}
  ~StatusWriter() { thread_.join(); }

  // Writes `status` if it is another than the last; not while an earlier one is being written,
  // since a later call has a newer one.
  void write(std::string status) {
    if (writing_ || status == last_)
      return;
    writing_ = true;
    last_ = std::move(status);
    boost::asio::post(thread_, [this] {
      const std::string problem = replace_file(path_, last_);
      if (!problem.empty())
        warning_.say(std::chrono::steady_clock::now(), "cannot write the status: " + problem);
      writing_ = false;
    });
  }
  // The last one, at the end: waits for it. "" or what went wrong.
  std::string write_last(const std::string& status) {
    thread_.join();
    return replace_file(path_, status);
  }

 private:
  const std::string path_;
  std::string last_;  // the thread's while it writes
  std::atomic<bool> writing_{false};
  RareWarning warning_;
  boost::asio::thread_pool thread_{1};  // the first to go: it uses the rest
};

}  // namespace invlog::capture

// Log lines to systemd's journal with the fields that the journal is searched by: PRIORITY,
// MESSAGE_ID, INVLOG_REQUEST_ID (systemd.journal-fields(7)). spdlog's own systemd sink knows no
// fields of one's own.
//
// Threads: any; sd_journal_sendv() is called under the sink's lock. Errors: what the journal does
// not take is lost, as with any log; nothing is thrown.
#pragma once

#include <spdlog/sinks/base_sink.h>
#include <sys/uio.h>

#include <functional>
#include <mutex>

namespace invlog::logging {

inline constexpr const char* kJournalSocket = "/run/systemd/journal/socket";
bool journal_is_there();

class JournalSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  using Send = std::function<int(const iovec* fields, int count)>;
  JournalSink();                    // sd_journal_sendv()
  explicit JournalSink(Send send);  // for tests

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override;
  void flush_() override {}

 private:
  const Send send_;
};

}  // namespace invlog::logging

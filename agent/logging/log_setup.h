// Where the log goes, and in which form: `log_format` and `log_level` below [agent].
//
// Thread: call set_up_log() before other threads log. Errors: none; what cannot be had is replaced
// by text on standard error, which says so.
#pragma once

#include <memory>
#include <optional>
#include <string>

namespace spdlog::sinks {
class sink;
}

namespace invlog::logging {

enum class LogForm {
  text,     // lines for people
  json,     // one JSON object a line (json_log_formatter.h)
  journal,  // systemd's journal, with fields (journal_sink.h)
};

// `format`: "auto", "text", "json" or "journal". `journal_stream`: the environment's
// JOURNAL_STREAM, by which systemd says, as DEVICE:INODE, that standard error is the journal
// (systemd.exec(5)); `descriptor`: standard error, which may have been redirected since.
LogForm choose_log_form(const std::string& format, const std::optional<std::string>& journal_stream,
                        int descriptor);

// Writes to standard error, or for LogForm::journal to the journal.
std::shared_ptr<spdlog::sinks::sink> make_log_sink(LogForm form);

// Everything that is logged from now on, by a thread of the log's own (queued_sink.h). `level`:
// spdlog's name of the lowest that is kept.
void set_up_log(const std::string& format, const std::string& level);

// At its end what was logged is written, as far as what it is written to takes it in 2 s.
class LogFlush {
 public:
  LogFlush() = default;
  ~LogFlush();
  LogFlush(const LogFlush&) = delete;
  LogFlush& operator=(const LogFlush&) = delete;
};

}  // namespace invlog::logging

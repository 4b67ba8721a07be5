#include "agent/logging/log_setup.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>

#include "agent/logging/journal_sink.h"
#include "agent/logging/json_log_formatter.h"
#include "agent/logging/queued_sink.h"

namespace invlog::logging {
namespace {

bool is_journal(int descriptor, const std::string& journal_stream) {
  struct stat information {};
  return ::fstat(descriptor, &information) == 0 &&
         journal_stream ==
             std::to_string(information.st_dev) + ":" + std::to_string(information.st_ino);
}

}  // namespace

LogForm choose_log_form(const std::string& format, const std::optional<std::string>& journal_stream,
                        int descriptor) {
  if (format == "json") {
    return LogForm::json;
  }
  const bool journal = format == "journal" || (format == "auto" && journal_stream &&
                                               is_journal(descriptor, *journal_stream));
  return journal ? LogForm::journal : LogForm::text;
}

std::shared_ptr<spdlog::sinks::sink> make_log_sink(LogForm form) {
  if (form == LogForm::journal) {
    return std::make_shared<JournalSink>();
  }
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (form == LogForm::json) {
    sink->set_formatter(std::make_unique<JsonLogFormatter>());
  }
  return sink;
}

void set_up_log(const std::string& format, const std::string& level) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  LogForm form = choose_log_form(format, stream ? std::optional<std::string>(stream) : std::nullopt,
                                 STDERR_FILENO);
  const bool missing = form == LogForm::journal && !journal_is_there();
  if (missing) {
    form = LogForm::text;
  }
  // The formatter is the sink's own: a logger would put its default one in its place.
  auto logger =
      std::make_shared<spdlog::logger>("invlog", std::make_shared<QueuedSink>(make_log_sink(form)));
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
  if (missing) {
    spdlog::warn("there is no journal on this host ({} is missing): logging to standard error",
                 kJournalSocket);
  }
}

LogFlush::~LogFlush() {
  spdlog::default_logger()->flush();
}

}  // namespace invlog::logging

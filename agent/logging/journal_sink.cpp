#include "agent/logging/journal_sink.h"

#include <syslog.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "exporters/log_fields.h"

namespace invlog::logging {
namespace {

int priority_of(spdlog::level::level_enum level) {
  switch (level) {
    case spdlog::level::critical:
      return LOG_CRIT;
    case spdlog::level::err:
      return LOG_ERR;
    case spdlog::level::warn:
      return LOG_WARNING;
    case spdlog::level::info:
      return LOG_INFO;
    default:
      return LOG_DEBUG;
  }
}

}  // namespace

bool journal_is_there() {
  return ::access(kJournalSocket, F_OK) == 0;
}

JournalSink::JournalSink() : JournalSink(::sd_journal_sendv) {}

JournalSink::JournalSink(Send send) : send_(std::move(send)) {}

void JournalSink::sink_it_(const spdlog::details::log_msg& message) {
  std::vector<std::string> fields = {
      "MESSAGE=" + std::string(message.payload.data(), message.payload.size()),
      "PRIORITY=" + std::to_string(priority_of(message.level)), "SYSLOG_IDENTIFIER=invlog"};
  const LogFields& context = LogContext::current();
  if (!context.message_id.empty()) {
    fields.push_back("MESSAGE_ID=" + std::string(context.message_id));
  }
  if (!context.request_id.empty()) {
    fields.push_back("INVLOG_REQUEST_ID=" + std::string(context.request_id));
  }
  std::vector<iovec> parts;
  for (std::string& field : fields) {
    parts.push_back({field.data(), field.size()});
  }
  send_(parts.data(), static_cast<int>(parts.size()));
}

}  // namespace invlog::logging

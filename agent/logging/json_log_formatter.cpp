#include "agent/logging/json_log_formatter.h"

#include <chrono>
#include <cstdio>
#include <string>

#include "exporters/log_fields.h"
#include "storage/json_writer.h"
#include "storage/time_text.h"

namespace invlog::logging {
namespace {

std::string time_with_milliseconds(std::chrono::system_clock::time_point time) {
  const std::int64_t ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  std::string text = storage::iso_seconds(ms * 1000);
  char fraction[8];
  std::snprintf(fraction, sizeof fraction, ".%03d", static_cast<int>(ms % 1000));
  text.insert(text.size() - 1, fraction);  // before the Z
  return text;
}

}  // namespace

void JsonLogFormatter::format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) {
  const auto level = spdlog::level::to_string_view(message.level);
  std::string line = "{";
  storage::append_json_member(line, "time", time_with_milliseconds(message.time));
  storage::append_json_member(line, "level", std::string_view(level.data(), level.size()));
  storage::append_json_member(line, "message",
                              std::string_view(message.payload.data(), message.payload.size()));
  const LogFields& context = LogContext::current();
  if (!context.message_id.empty()) {
    storage::append_json_member(line, "message_id", context.message_id);
  }
  if (!context.request_id.empty()) {
    storage::append_json_member(line, "request_id", context.request_id);
  }
  line += "}\n";
  out.append(line.data(), line.data() + line.size());
}

std::unique_ptr<spdlog::formatter> JsonLogFormatter::clone() const {
  return std::make_unique<JsonLogFormatter>();
}

}  // namespace invlog::logging

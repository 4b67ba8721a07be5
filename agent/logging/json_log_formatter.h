// Log lines as JSON, one object a line: time (ISO 8601 UTC with milliseconds), level, message, and
// message_id and request_id where the line has them.
//
// Threads: as spdlog's formatters, under their sink's lock. Errors: none.
#pragma once

#include <spdlog/formatter.h>

#include <memory>

namespace invlog::logging {

class JsonLogFormatter : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override;
  std::unique_ptr<spdlog::formatter> clone() const override;
};

}  // namespace invlog::logging

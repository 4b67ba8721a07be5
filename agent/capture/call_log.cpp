#include "agent/capture/call_log.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>

#include "agent/capture/http_message.h"
#include "exporters/log_fields.h"

namespace invlog::capture {
namespace {

bool worth_a_warning(bedrock::Outcome outcome) {
  return outcome == bedrock::Outcome::upstream_closed || outcome == bedrock::Outcome::timeout ||
         outcome == bedrock::Outcome::denied;
}

// Parts of it may come from a request's path: one line stays one line.
std::string one_line(std::string text) {
  std::replace_if(
      text.begin(), text.end(),
      [](unsigned char character) { return character < 0x20 || character == 0x7f; }, '?');
  return text;
}

}  // namespace

void CallLog::ended(bedrock::Operation operation, const bedrock::Invocation& call,
                    std::chrono::steady_clock::time_point now) {
  const bool warns = worth_a_warning(call.outcome);
  const bool says = warns && (!said_ || now - said_at_ >= kQuiet);
  if (warns && !says)
    ++unsaid_;
  if (!says && !spdlog::should_log(spdlog::level::debug))
    return;
  const LogContext context(
      {log_message::kCallEnded, find_header(call.response_headers, "x-amzn-RequestId")});
  if (!says) {
    spdlog::debug("{}: {}, status {}, {} ms{}{}", bedrock::operation_name(operation),
                  bedrock::to_string(call.outcome), call.status, call.duration_us / 1000,
                  call.error.empty() ? "" : ": ", one_line(call.error));
    return;
  }
  spdlog::warn("{}: {}: {}{}", bedrock::operation_name(operation), bedrock::to_string(call.outcome),
               one_line(call.error),
               unsaid_ == 0
                   ? ""
                   : " (and " + std::to_string(unsaid_) + " more calls since the last such line)");
  said_ = true;
  said_at_ = now;
  unsaid_ = 0;
}

}  // namespace invlog::capture

// Forms of the log, and what is logged of calls.
#include "agent/logging/log_setup.h"

#include <fcntl.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <simdjson.h>

#include <algorithm>
#include <sstream>

#include "agent/capture/call_log.h"
#include "agent/logging/journal_sink.h"
#include "agent/logging/json_log_formatter.h"
#include "exporters/log_fields.h"
#include "tests/catch.h"

using namespace invlog;
using namespace invlog::logging;

namespace {

// The default logger writes JSON lines into a string until the end of the test.
class LogLines {
 public:
  explicit LogLines(spdlog::level::level_enum level) : before_(spdlog::default_logger()) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(out_);
    sink->set_formatter(std::make_unique<JsonLogFormatter>());
    auto logger = std::make_shared<spdlog::logger>("test", sink);
    logger->set_level(level);
    spdlog::set_default_logger(logger);
  }
  ~LogLines() { spdlog::set_default_logger(before_); }
  std::vector<std::string> take() {
    std::vector<std::string> lines;
    std::istringstream text(out_.str());
    for (std::string line; std::getline(text, line);)
      lines.push_back(line);
    out_.str("");
    return lines;
  }

 private:
  std::ostringstream out_;
  std::shared_ptr<spdlog::logger> before_;
};

std::string member(const std::string& line, const char* name) {
  simdjson::dom::parser parser;
  std::string_view value;
  return parser.parse(line)[name].get(value) ? "(none)" : std::string(value);
}

bedrock::Invocation call_with(bedrock::Outcome outcome, std::string error) {
  bedrock::Invocation call;
  call.outcome = outcome;
  call.status = 502;
  call.duration_us = 12'345;
  call.error = std::move(error);
  call.request.bytes = "{\"prompt\":\"a secret\"}";
  call.response_headers = {{"X-Amzn-RequestId", "id-1"}};
  return call;
}

}  // namespace

TEST_CASE("the log goes to the journal where systemd says that standard error is the journal",
          "[logging]") {
  const int file = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  struct stat information {};
  REQUIRE(::fstat(file, &information) == 0);
  const std::string same =
      std::to_string(information.st_dev) + ":" + std::to_string(information.st_ino);
  CHECK(choose_log_form("auto", same, file) == LogForm::journal);
  CHECK(choose_log_form("auto", same + "1", file) == LogForm::text);  // redirected since
  CHECK(choose_log_form("auto", "", file) == LogForm::text);
  CHECK(choose_log_form("auto", std::nullopt, file) == LogForm::text);
  CHECK(choose_log_form("text", same, file) == LogForm::text);
  CHECK(choose_log_form("json", same, file) == LogForm::json);
  CHECK(choose_log_form("journal", std::nullopt, file) == LogForm::journal);
  ::close(file);
  CHECK(choose_log_form("auto", same, file) == LogForm::text);
}

TEST_CASE("the journal gets a line's priority, and what it is about", "[logging]") {
  std::vector<std::vector<std::string>> sent;
  auto sink = std::make_shared<JournalSink>([&](const iovec* fields, int count) {
    sent.emplace_back();
    for (int at = 0; at < count; ++at)
      sent.back().emplace_back(static_cast<const char*>(fields[at].iov_base), fields[at].iov_len);
    return 0;
  });
  spdlog::logger logger("test", sink);
  logger.set_level(spdlog::level::trace);
  {
    const LogContext context({log_message::kStoreFailing, "id-7"});
    logger.error("disk {}", "full\nand more");
  }
  for (const auto level : {spdlog::level::trace, spdlog::level::debug, spdlog::level::info,
                           spdlog::level::warn, spdlog::level::critical})
    logger.log(level, "x");
  REQUIRE(sent.size() == 6);
  CHECK(sent[0] == std::vector<std::string>{"MESSAGE=disk full\nand more", "PRIORITY=3",
                                            "SYSLOG_IDENTIFIER=invlog",
                                            "MESSAGE_ID=" + std::string(log_message::kStoreFailing),
                                            "INVLOG_REQUEST_ID=id-7"});
  std::string priorities;
  for (std::size_t at = 1; at < sent.size(); ++at) {
    CHECK(sent[at].size() == 3);  // the context was only the first line's
    priorities += sent[at][1].back();
  }
  CHECK(priorities == "77642");
}

TEST_CASE("a JSON line is JSON, whatever the message", "[logging]") {
  LogLines log(spdlog::level::info);
  spdlog::info("a \"quoted\" \\ text\nof two lines \x01 \xff");
  {
    const LogContext outer({log_message::kStopping, {}});
    const LogContext context({log_message::kDeadLetter, "id-2"});
    spdlog::error("wrong");
  }
  const auto lines = log.take();
  REQUIRE(lines.size() == 2);
  CHECK(member(lines[0], "message") == "a \"quoted\" \\ text\nof two lines \x01 \xef\xbf\xbd");
  CHECK(member(lines[0], "level") == "info");
  CHECK(member(lines[0], "message_id") == "(none)");
  const std::string time = member(lines[0], "time");
  CHECK((time.size() == 24 && time[10] == 'T' && time[19] == '.' && time.back() == 'Z'));
  CHECK(member(lines[1], "level") == "error");
  CHECK(member(lines[1], "message_id") == log_message::kDeadLetter);
  CHECK(member(lines[1], "request_id") == "id-2");
}

TEST_CASE("calls that fail are warned of once in ten seconds, and the others are counted",
          "[logging]") {
  LogLines log(spdlog::level::info);
  capture::CallLog calls;
  const std::chrono::steady_clock::time_point start{std::chrono::hours(1)};
  const auto failed = call_with(bedrock::Outcome::upstream_closed, "refused\nby the upstream");
  calls.ended(bedrock::Operation::converse, call_with(bedrock::Outcome::complete, ""), start);
  CHECK(log.take().empty());
  for (int time = 0; time < 3; ++time)
    calls.ended(bedrock::Operation::converse, failed, start + std::chrono::seconds(time));
  auto lines = log.take();
  REQUIRE(lines.size() == 1);
  CHECK(member(lines[0], "level") == "warning");
  CHECK(member(lines[0], "message") == "Converse: upstream-closed: refused?by the upstream");
  CHECK(member(lines[0], "request_id") == "id-1");
  CHECK(member(lines[0], "message_id") == log_message::kCallEnded);
  calls.ended(bedrock::Operation::responses, call_with(bedrock::Outcome::denied, "by policy"),
              start + capture::CallLog::kQuiet);
  lines = log.take();
  REQUIRE(lines.size() == 1);
  CHECK(member(lines[0], "message") ==
        "Responses: denied: by policy (and 2 more calls since the last such line)");
}

TEST_CASE("at level debug each call's end is a line, without anything of its bodies", "[logging]") {
  LogLines log(spdlog::level::debug);
  capture::CallLog calls;
  const std::chrono::steady_clock::time_point now{std::chrono::hours(1)};
  calls.ended(bedrock::Operation::converse, call_with(bedrock::Outcome::complete, ""), now);
  calls.ended(bedrock::Operation::converse, call_with(bedrock::Outcome::client_closed, "gone"),
              now);
  const auto lines = log.take();
  REQUIRE(lines.size() == 2);
  CHECK(member(lines[0], "message") == "Converse: complete, status 502, 12 ms");
  CHECK(member(lines[1], "message") == "Converse: client-closed, status 502, 12 ms: gone");
  for (const std::string& line : lines)
    CHECK(line.find("secret") == std::string::npos);
}

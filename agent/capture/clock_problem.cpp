#include "agent/capture/clock_problem.h"

#include <ctime>
#include <optional>

#include "exporters/aws/service_failure.h"

namespace invlog::capture {
namespace {

// Less than AWS lets pass, since the answer was some time on its way.
constexpr std::chrono::minutes kOffsetThatMatters{4};

// HTTP's one form that is not obsolete, which AWS writes. aws::parse_http_date() takes the others,
// too, but loads libcurl for that: not here, where calls would wait for it.
std::optional<std::chrono::sys_seconds> date_of(const ResponseHead& response) {
  const std::string text(find_header(response.headers, "date"));
  std::tm parts{};
  const char* const end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  if (end != text.c_str() + text.size() || text.empty())
    return std::nullopt;
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

std::string clock_problem(const ResponseHead& refusal, std::string_view body,
                          std::chrono::system_clock::time_point now) {
  if (refusal.status != 403)
    return "";
  const auto theirs = date_of(refusal);
  if (!theirs)
    return "";
  // In seconds: their year 9999 is beyond the clock's nanoseconds.
  const auto ahead = std::chrono::time_point_cast<std::chrono::seconds>(now) - *theirs;
  if (std::chrono::abs(ahead) <= kOffsetThatMatters)
    return "";
  const aws::HttpResponse response{
      refusal.status,
      {{"x-amzn-errortype", std::string(find_header(refusal.headers, "x-amzn-errortype"))}},
      std::string(body)};
  if (aws::failure_of(response, "").kind != aws::FailureKind::clock)
    return "";
  return "this host's clock is " + std::to_string(std::chrono::abs(ahead).count()) + " s " +
         (ahead.count() < 0 ? "behind" : "ahead of") +
         " the upstream's, which therefore refuses the calls that the agent signs: set it (chrony, "
         "systemd-timesyncd)";
}

}  // namespace invlog::capture

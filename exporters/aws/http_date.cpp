#include "exporters/aws/http_date.h"

#include <ctime>
#include <string>

#include "exporters/aws/curl_library.h"

namespace invlog::aws {

std::optional<std::chrono::sys_seconds> parse_http_date(std::string_view text) {
  // curl_getdate() takes more than HTTP's forms, a bare number among them; a month's name is in
  // each of HTTP's.
  constexpr std::size_t kLongest = 64;
  constexpr std::string_view kLetters = "ADFJMNOS";
  if (text.size() > kLongest || text.find_first_of(kLetters) == std::string_view::npos ||
      text.find('\0') != std::string_view::npos) {
    return std::nullopt;
  }
  const std::time_t seconds = CurlLibrary::get().getdate(std::string(text).c_str(), nullptr);
  // The year 2200: the system clock's nanoseconds end in 2262.
  constexpr std::time_t kLatest = 7'258'118'400;
  if (seconds < 0 || seconds > kLatest) {
    return std::nullopt;
  }
  return std::chrono::sys_seconds(std::chrono::seconds(seconds));
}

}  // namespace invlog::aws

#include "exporters/aws/role_settings.h"

#include <algorithm>
#include <charconv>

namespace invlog::aws {
namespace {

bool is_alphanumeric(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9');
}

}  // namespace

bool is_session_name_character(char byte) {
  return is_alphanumeric(byte) || std::string_view("_+=,.@-").find(byte) != std::string_view::npos;
}

std::optional<std::string> problem_of_role_arn(std::string_view text) {
  const bool printable =
      std::all_of(text.begin(), text.end(), [](char byte) { return byte > ' ' && byte < 0x7f; });
  if (!text.starts_with("arn:") || text.size() < 20 || text.size() > 2048 || !printable) {
    return "must be a role's ARN, such as arn:aws:iam::123456789012:role/invlog";
  }
  return std::nullopt;
}

std::optional<std::string> problem_of_session_name(std::string_view text) {
  if (text.size() < 2 || text.size() > 64 ||
      !std::all_of(text.begin(), text.end(), is_session_name_character)) {
    return "must have 2 to 64 characters of A-Z a-z 0-9 _ + = , . @ -";
  }
  return std::nullopt;
}

std::optional<std::string> problem_of_external_id(std::string_view text) {
  const bool allowed = std::all_of(text.begin(), text.end(), [](char byte) {
    return is_session_name_character(byte) || byte == ':' || byte == '/';
  });
  if (text.size() < 2 || text.size() > 1224 || !allowed) {
    return "must have 2 to 1224 characters of A-Z a-z 0-9 _ + = , . @ : / -";
  }
  return std::nullopt;
}

std::optional<std::string> problem_of_duration(std::string_view text,
                                               std::chrono::seconds& duration) {
  int seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [parsed_to, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || parsed_to != end || seconds < 900 || seconds > 43200) {
    return "must be a number of seconds from 900 to 43200";
  }
  duration = std::chrono::seconds(seconds);
  return std::nullopt;
}

}  // namespace invlog::aws

#include "agent/capture/client_signature.h"

#include <algorithm>
#include <string_view>

namespace invlog::capture {
namespace {

constexpr std::size_t kLongestKeyId = 128;  // IAM's AccessKeyIdType

bool is_key_id(std::string_view text) {
  return !text.empty() && text.size() <= kLongestKeyId &&
         std::all_of(text.begin(), text.end(), [](char character) {
           return (character >= 'A' && character <= 'Z') ||
                  (character >= 'a' && character <= 'z') ||
                  (character >= '0' && character <= '9') || character == '_';
         });
}

// The value behind `name` up to one of `ends`; "" without.
std::string_view value_behind(std::string_view text, std::string_view name, std::string_view ends) {
  const std::size_t at = text.find(name);
  if (at == std::string_view::npos)
    return {};
  text.remove_prefix(at + name.size());
  return text.substr(0, text.find_first_of(ends));
}

// "20260411T101112Z" in the form that records have; "" if it is none.
std::string iso_time(std::string_view basic) {
  constexpr std::string_view kForm = "00000000T000000Z";
  if (basic.size() != kForm.size())
    return {};
  for (std::size_t at = 0; at < kForm.size(); ++at) {
    const bool digit = basic[at] >= '0' && basic[at] <= '9';
    if (kForm[at] == '0' ? !digit : basic[at] != kForm[at])
      return {};
  }
  const std::string text(basic);
  return text.substr(0, 4) + "-" + text.substr(4, 2) + "-" + text.substr(6, 2) + "T" +
         text.substr(9, 2) + ":" + text.substr(11, 2) + ":" + text.substr(13, 2) + "Z";
}

}  // namespace

ClientSignature client_signature(const RequestHead& request) {
  std::string_view key_id, date;
  const std::string_view header = find_header(request.headers, "authorization");
  if (header.substr(0, 5) == "AWS4-") {
    key_id = value_behind(header, "Credential=", "/,");
    date = find_header(request.headers, "x-amz-date");
  } else if (const std::size_t mark = request.target.find('?'); mark != std::string::npos) {
    const std::string_view query = std::string_view(request.target).substr(mark);
    key_id = value_behind(query, "X-Amz-Credential=", "/%&");
    date = value_behind(query, "X-Amz-Date=", "&");
  }
  if (!is_key_id(key_id))
    return {};
  return {std::string(key_id), iso_time(date)};
}

}  // namespace invlog::capture

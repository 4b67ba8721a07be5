#include "agent/bedrock/base64_text.h"

#include <algorithm>
#include <array>
#include <optional>

#include "agent/bedrock/text_redactor.h"
#include "storage/base64.h"

namespace invlog::bedrock {
namespace {

// MIME breaks lines behind 76 characters, PEM behind 64. Also how much is decoded to see whether
// the rest is worth it.
constexpr std::size_t kShortestLine = 60;

constexpr std::array<bool, 256> make_digits() {
  std::array<bool, 256> digits{};
  for (const char digit :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    digits[static_cast<unsigned char>(digit)] = true;
  }
  return digits;
}
constexpr std::array<bool, 256> kDigits = make_digits();

bool is_digit_at(std::string_view text, std::size_t at) {
  return at < text.size() && kDigits[static_cast<unsigned char>(text[at])];
}

std::size_t digits_end(std::string_view text, std::size_t at) {
  while (is_digit_at(text, at)) {
    ++at;
  }
  return at;
}

// Where the base64 that begins at `begin` ends, over whole lines if they are to be joined.
std::size_t base64_end(std::string_view text, std::size_t begin, bool join_lines) {
  std::size_t end = digits_end(text, begin);
  for (std::size_t line = begin;
       join_lines && end - line >= kShortestLine && (end - line) % 4 == 0;) {
    const std::string_view rest = text.substr(end, 2);
    const std::size_t line_break = rest == "\r\n" ? 2 : rest.starts_with('\n') ? 1 : 0;
    if (line_break == 0 || !is_digit_at(text, end + line_break)) {
      break;
    }
    line = end + line_break;
    end = digits_end(text, line);
  }
  for (int padding = 0; padding < 2 && end < text.size() && text[end] == '='; ++padding) {
    ++end;
  }
  return end;
}

bool has_control_characters(std::string_view bytes) {
  return std::any_of(bytes.begin(), bytes.end(), [](char byte) {
    return static_cast<unsigned char>(byte) < 0x20 && byte != '\n' && byte != '\r' &&
           byte != '\t' && byte != '\f';
  });
}

// UTF-8, or nearly nothing but ASCII, as texts in Latin scripts are in any other encoding.
bool is_text(std::string_view bytes) {
  if (bytes.empty() || has_control_characters(bytes)) {
    return false;
  }
  const auto others =
      static_cast<std::size_t>(std::count_if(bytes.begin(), bytes.end(), [](char byte) {
        return static_cast<unsigned char>(byte) >= 0x80;
      }));
  return others <= bytes.size() / 8 || is_plain_text(bytes);
}

// Digits up to the padding, of which those may be missing that a cut took.
std::string decode(std::string_view digits) {
  const std::size_t cut = digits.size() % 4;
  std::string decoded = storage::base64_decode(digits.substr(0, digits.size() - cut)).value_or("");
  if (cut >= 2) {
    const std::string last = std::string(digits.substr(digits.size() - cut)) + "AA";
    decoded += storage::base64_decode(last.substr(0, 4)).value_or("").substr(0, cut - 1);
  }
  return decoded;
}

std::optional<std::string> text_in_base64(std::string_view encoded) {
  if (encoded.size() < kShortestBase64 ||
      has_control_characters(
          decode(encoded.substr(0, std::min(encoded.size(), kShortestLine) / 4 * 4)))) {
    return std::nullopt;
  }
  std::string digits;
  if (encoded.find('\n') != std::string_view::npos) {
    std::copy_if(encoded.begin(), encoded.end(), std::back_inserter(digits),
                 [](char byte) { return byte != '\n' && byte != '\r'; });
    encoded = digits;
  }
  while (encoded.ends_with('=')) {
    encoded.remove_suffix(1);
  }
  std::string decoded = decode(encoded);
  return is_text(decoded) ? std::optional(std::move(decoded)) : std::nullopt;
}

void find_in(std::string_view text, std::size_t at, std::size_t behind, bool join_lines,
             const TakeBase64Text& take) {
  while (at < behind) {
    if (!is_digit_at(text, at)) {
      ++at;
      continue;
    }
    const std::size_t end = base64_end(text, at, join_lines);
    const std::string_view encoded = text.substr(at, end - at);
    if (const std::optional<std::string> decoded = text_in_base64(encoded)) {
      take(at, end, *decoded);
    } else if (encoded.find('\n') != std::string_view::npos) {
      find_in(text, at, end, false, take);  // the last line may be a word below it
    }
    at = end;
  }
}

}  // namespace

void find_base64_texts(std::string_view text, const TakeBase64Text& take) {
  find_in(text, 0, text.size(), true, take);
}

}  // namespace invlog::bedrock

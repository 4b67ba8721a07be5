#include "tests/bench/event_frames.h"

#include <zlib.h>

#include <charconv>
#include <cstdio>

namespace invlog::bench {
namespace {

constexpr std::string_view kStampMark = "\"text\":\"@";
constexpr std::size_t kStampDigits = 16;
constexpr std::size_t kLargestFrame = 25 * 1024 * 1024;

void append_uint32(std::string& bytes, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(value >> shift & 0xff);
  }
}

std::uint32_t read_uint32(std::string_view bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t index = 0; index < 4; ++index) {
    value = value << 8 | static_cast<unsigned char>(bytes[at + index]);
  }
  return value;
}

void append_crc(std::string& bytes) {
  append_uint32(bytes,
                static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(bytes.data()),
                                                 static_cast<uInt>(bytes.size()))));
}

void append_header(std::string& headers, std::string_view name, std::string_view value) {
  constexpr char kString = 7;
  headers += static_cast<char>(name.size());
  headers += name;
  headers += kString;
  headers += static_cast<char>(value.size() >> 8);
  headers += static_cast<char>(value.size() & 0xff);
  headers += value;
}

}  // namespace

std::string event_frame(std::string_view event_type, std::string_view payload) {
  std::string headers;
  append_header(headers, ":event-type", event_type);
  append_header(headers, ":content-type", "application/json");
  append_header(headers, ":message-type", "event");
  std::string frame;
  append_uint32(frame, static_cast<std::uint32_t>(16 + headers.size() + payload.size()));
  append_uint32(frame, static_cast<std::uint32_t>(headers.size()));
  append_crc(frame);
  frame += headers;
  frame += payload;
  append_crc(frame);
  return frame;
}

std::string stamped_delta(std::int64_t sent_us, std::string_view text) {
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%016lld", static_cast<long long>(sent_us));
  std::string payload = R"({"contentBlockIndex":0,"delta":{"text":"@)";
  payload += stamp;
  payload += ' ';
  payload += text;
  payload += R"("},"p":"abcdefghijklmnopqr"})";
  return event_frame("contentBlockDelta", payload);
}

std::int64_t stamp_of(std::string_view payload) {
  const auto mark = payload.find(kStampMark);
  if (mark == payload.npos || mark + kStampMark.size() + kStampDigits > payload.size()) {
    return -1;
  }
  const auto* digits = payload.data() + mark + kStampMark.size();
  std::int64_t stamp = -1;
  std::from_chars(digits, digits + kStampDigits, stamp);
  return stamp;
}

bool FrameReader::feed(std::string_view bytes,
                       const std::function<void(std::string_view)>& payload) {
  buffer_ += bytes;
  std::size_t at = 0;
  while (buffer_.size() - at >= 12) {
    const std::size_t total = read_uint32(buffer_, at);
    const std::size_t headers = read_uint32(buffer_, at + 4);
    if (total < 16 || total > kLargestFrame || headers > total - 16) {
      return false;
    }
    if (buffer_.size() - at < total) {
      break;
    }
    payload(std::string_view(buffer_).substr(at + 12 + headers, total - headers - 16));
    at += total;
  }
  buffer_.erase(0, at);
  return true;
}

}  // namespace invlog::bench

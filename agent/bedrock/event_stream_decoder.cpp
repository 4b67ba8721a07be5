#include "agent/bedrock/event_stream_decoder.h"

#include <zlib.h>

#include <algorithm>
#include <utility>

namespace invlog::bedrock {
namespace {

constexpr std::size_t kPrelude = 12;  // two lengths and their CRC
constexpr std::size_t kMessageCrc = 4;
constexpr std::size_t kOverhead = kPrelude + kMessageCrc;

std::uint32_t read_uint32(std::string_view bytes, std::size_t at) {
  const auto byte = [&](std::size_t index) -> std::uint32_t {
    return static_cast<unsigned char>(bytes[index]);
  };
  return byte(at) << 24 | byte(at + 1) << 16 | byte(at + 2) << 8 | byte(at + 3);
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Bytes of a value of fixed size; -1 for those that carry a length, -2 for a type that does not
// exist.
int value_size(std::uint8_t type) {
  constexpr int kSizes[] = {0, 0, 1, 2, 4, 8, -1, -1, 8, 16};
  return type < std::size(kSizes) ? kSizes[type] : -2;
}

}  // namespace

std::string_view EventMessage::text(std::string_view name) const {
  for (const EventHeader& header : headers) {
    if (header.name == name && header.type == EventHeaderType::string) {
      return header.value;
    }
  }
  return {};
}

void EventStreamDecoder::feed(std::string_view bytes) {
  if (!damage_ && position_ != 0) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  buffer_.append(bytes);
}

std::string_view EventStreamDecoder::undecoded() const {
  return std::string_view(buffer_).substr(position_);
}

std::optional<EventMessage> EventStreamDecoder::fail(std::string cause) {
  damage_ = EventStreamDamage{offset_, std::move(cause)};
  return std::nullopt;
}

std::optional<EventMessage> EventStreamDecoder::next() {
  const std::string_view bytes = undecoded();
  if (damage_ || bytes.size() < kPrelude) {
    return std::nullopt;
  }
  const std::uint32_t total = read_uint32(bytes, 0);
  const std::uint32_t headers_length = read_uint32(bytes, 4);
  // Before the lengths are believed.
  if (checksum(bytes.substr(0, 8)) != read_uint32(bytes, 8)) {
    return fail("prelude checksum does not match");
  }
  if (headers_length > kMaximumHeaders) {
    return fail("headers of " + std::to_string(headers_length) + " bytes are over the limit of " +
                std::to_string(kMaximumHeaders));
  }
  if (total < kOverhead || total - kOverhead < headers_length) {
    return fail("total length " + std::to_string(total) + " has no room for headers of " +
                std::to_string(headers_length) + " bytes");
  }
  const std::size_t payload_length = total - kOverhead - headers_length;
  if (payload_length > kMaximumPayload) {
    return fail("payload of " + std::to_string(payload_length) + " bytes is over the limit of " +
                std::to_string(kMaximumPayload));
  }
  if (bytes.size() < total) {
    return std::nullopt;
  }
  if (checksum(bytes.substr(0, total - kMessageCrc)) != read_uint32(bytes, total - kMessageCrc)) {
    return fail("message checksum does not match");
  }
  EventMessage message;
  message.offset = offset_;
  std::string malformed = parse_headers(bytes.substr(kPrelude, headers_length), message.headers);
  if (!malformed.empty()) {
    return fail(std::move(malformed));
  }
  message.payload = bytes.substr(kPrelude + headers_length, payload_length);
  position_ += total;
  offset_ += total;
  return message;
}

std::string EventStreamDecoder::parse_headers(std::string_view bytes,
                                              std::vector<EventHeader>& headers) {
  const std::size_t all = bytes.size();
  std::size_t start = 0;
  const auto malformed = [&](const char* what) {
    return std::string(what) + " in the header at byte " + std::to_string(start) +
           " of the headers";
  };
  const auto take = [&](std::size_t count) {
    const std::string_view taken = bytes.substr(0, count);
    bytes.remove_prefix(count);
    return taken;
  };
  while (!bytes.empty()) {
    if (headers.size() == kMostHeaders) {
      return "more than " + std::to_string(kMostHeaders) + " headers";
    }
    start = all - bytes.size();
    const std::size_t name_length = static_cast<unsigned char>(bytes[0]);
    if (name_length == 0) {
      return malformed("no name");
    }
    if (bytes.size() < 1 + name_length + 1) {
      return malformed("name cut off");
    }
    take(1);
    const std::string_view name = take(name_length);
    const auto type = static_cast<std::uint8_t>(bytes[0]);
    const int fixed = value_size(type);
    if (fixed == -2) {
      return malformed("unknown type");
    }
    take(1);
    std::size_t length = 0;
    if (fixed >= 0) {
      length = static_cast<std::size_t>(fixed);
    } else {
      if (bytes.size() < 2) {
        return malformed("value length cut off");
      }
      length = static_cast<std::size_t>(static_cast<unsigned char>(bytes[0])) << 8 |
               static_cast<unsigned char>(bytes[1]);
      take(2);
    }
    if (bytes.size() < length) {
      return malformed("value cut off");
    }
    if (std::any_of(headers.begin(), headers.end(),
                    [&](const EventHeader& header) { return header.name == name; })) {
      return malformed("name that came before");
    }
    headers.push_back({name, static_cast<EventHeaderType>(type), take(length)});
  }
  return {};
}

}  // namespace invlog::bedrock

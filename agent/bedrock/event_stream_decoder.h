// Decodes application/vnd.amazon.eventstream: messages of headers and a payload, each under two
// CRC32s. Source: smithy amazon-eventstream specification; facts/bedrock.md §3.
//
//     uint32 total length | uint32 headers length | uint32 CRC of those 8 bytes | headers | payload
//     | uint32 CRC of all before
//
// Messages do not align with reads, so bytes are fed as they come and messages taken out as they
// complete:
//
//     decoder.feed(bytes);
//     while (auto message = decoder.next()) ...
//
// The first damage ends decoding (nothing behind a wrong length can be trusted): damage() says
// where and why, and all bytes from there on stay in undecoded(). The stream itself is passed on
// unchanged by capture, whatever is found here.
//
// Thread: one at a time. Ownership: a message's views live until the next feed() or next(). Errors:
// none thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::bedrock {

// Numbers as on the wire.
enum class EventHeaderType : std::uint8_t {
  boolean_true = 0,
  boolean_false = 1,
  int8 = 2,
  int16 = 3,
  int32 = 4,
  int64 = 5,
  byte_array = 6,
  string = 7,
  timestamp = 8,
  uuid = 9,
};

struct EventHeader {
  std::string_view name;
  EventHeaderType type;
  std::string_view value;  // its bytes as on the wire, without the length; empty for the booleans
};

struct EventMessage {
  std::uint64_t offset = 0;  // of its first byte in the stream
  std::vector<EventHeader> headers;
  std::string_view payload;

  // The value of a header of type string; "" if there is none.
  std::string_view text(std::string_view name) const;
};

struct EventStreamDamage {
  std::uint64_t offset = 0;  // of the first byte of the message that is damaged
  std::string cause;
};

class EventStreamDecoder {
 public:
  static constexpr std::uint32_t kMaximumPayload = 24 * 1024 * 1024;  // bytes
  static constexpr std::uint32_t kMaximumHeaders = 128 * 1024;        // bytes
  // In a message. AWS sends three or four; each is compared with those before it, so that as many
  // as the bytes allow would cost seconds.
  static constexpr std::size_t kMostHeaders = 64;

  void feed(std::string_view bytes);
  // The next complete message; empty if more bytes are needed or the stream is damaged.
  std::optional<EventMessage> next();

  const std::optional<EventStreamDamage>& damage() const { return damage_; }
  // What was fed and is not part of a message returned by next(): the start of an incomplete
  // message, or everything from the damage on.
  std::string_view undecoded() const;

 private:
  std::optional<EventMessage> fail(std::string cause);
  // Why the headers are malformed, "" if they are not.
  static std::string parse_headers(std::string_view bytes, std::vector<EventHeader>& headers);

  std::string buffer_;
  std::size_t position_ = 0;  // in buffer_, of the first byte not yet decoded
  std::uint64_t offset_ = 0;  // in the stream, of the same byte
  std::optional<EventStreamDamage> damage_;
};

}  // namespace invlog::bedrock

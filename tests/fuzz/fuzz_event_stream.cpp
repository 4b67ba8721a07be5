// The event stream decoder: raw bytes, and bytes whose checksums are made right, so that what lies
// behind them is reached. However the stream is cut, the result is the same, and no byte is lost.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/bedrock/event_stream_decoder.h"

namespace {

using invlog::bedrock::EventStreamDecoder;

void write_uint32(std::string& bytes, std::size_t at, std::uint32_t number) {
  for (int index = 0; index < 4; ++index) {
    bytes[at + static_cast<std::size_t>(index)] = static_cast<char>(number >> (24 - 8 * index));
  }
}

std::uint32_t read_uint32(std::string_view bytes, std::size_t at) {
  std::uint32_t number = 0;
  for (std::size_t index = 0; index < 4; ++index) {
    number = number << 8 | static_cast<unsigned char>(bytes[at + index]);
  }
  return number;
}

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Sets both checksums of each message, as far as the lengths make sense.
void repair(std::string& stream) {
  std::size_t at = 0;
  while (stream.size() - at >= 16) {
    const std::uint32_t total = read_uint32(stream, at);
    write_uint32(stream, at + 8, checksum(std::string_view(stream).substr(at, 8)));
    if (total < 16 || total > stream.size() - at) {
      return;
    }
    write_uint32(stream, at + total - 4, checksum(std::string_view(stream).substr(at, total - 4)));
    at += total;
  }
}

// Everything that came out, as text that two runs can be compared by.
std::string decode(std::string_view stream, std::size_t piece) {
  EventStreamDecoder decoder;
  std::string out;
  std::uint64_t end = 0;
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    decoder.feed(stream.substr(at, piece));
    while (const auto message = decoder.next()) {
      out += std::to_string(message->offset) + ":";
      end = message->offset + 16 + message->payload.size();
      for (const auto& header : message->headers) {
        out += std::to_string(static_cast<int>(header.type));
        out += header.name;
        out += '=';
        out += header.value;
        end += 2 + header.name.size() + header.value.size();
        const bool has_length = header.type == invlog::bedrock::EventHeaderType::byte_array ||
                                header.type == invlog::bedrock::EventHeaderType::string;
        end += has_length ? 2 : 0;
      }
      out += message->payload;
      out += '\n';
    }
  }
  if (decoder.damage()) {
    out += std::to_string(decoder.damage()->offset) + decoder.damage()->cause;
    if (decoder.damage()->offset != end) {
      std::abort();
    }
  }
  if (decoder.undecoded() != stream.substr(static_cast<std::size_t>(end))) {
    std::abort();
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  std::string stream(reinterpret_cast<const char*>(data) + 1, size - 1);
  if ((data[0] & 1) != 0) {
    repair(stream);
  }
  const std::string whole = decode(stream, stream.size() + 1);
  if (decode(stream, std::size_t{1} + (data[0] >> 1)) != whole) {
    std::abort();
  }
  return 0;
}

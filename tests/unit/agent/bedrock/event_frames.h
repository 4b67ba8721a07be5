// Makes event stream messages for tests, and JSON comparisons.
#pragma once

#include <simdjson.h>
#include <zlib.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/base64.h"

namespace invlog::tests {

inline std::string big_endian(std::uint64_t number, int bytes) {
  std::string out;
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out += static_cast<char>(number >> shift & 0xFF);
  }
  return out;
}

inline std::uint32_t crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// One header as encoded; `value` with its length if the type has one.
inline std::string raw_header(std::string_view name, int type, std::string_view value) {
  std::string out(1, static_cast<char>(name.size()));
  out += name;
  out += static_cast<char>(type);
  out += value;
  return out;
}

inline std::string text_header(std::string_view name, std::string_view value) {
  return raw_header(name, 7, big_endian(value.size(), 2) + std::string(value));
}

// A message with the lengths given rather than counted; both checksums are right.
inline std::string message_with_lengths(std::uint32_t total, std::uint32_t headers_length,
                                        std::string_view rest) {
  std::string out = big_endian(total, 4) + big_endian(headers_length, 4);
  out += big_endian(crc(out), 4);
  out += rest;
  out += big_endian(crc(out), 4);
  return out;
}

inline std::string message(std::string_view headers, std::string_view payload) {
  return message_with_lengths(static_cast<std::uint32_t>(16 + headers.size() + payload.size()),
                              static_cast<std::uint32_t>(headers.size()),
                              std::string(headers) + std::string(payload));
}

inline std::string event(std::string_view type, std::string_view payload) {
  return message(text_header(":event-type", type) +
                     text_header(":content-type", "application/json") +
                     text_header(":message-type", "event"),
                 payload);
}

inline std::string chunk(std::string_view content) {
  return event("chunk",
               "{\"bytes\":\"" + storage::base64_encode(content) + "\",\"p\":\"abcdefgh\"}");
}

inline std::string exception(std::string_view type, std::string_view payload) {
  return message(text_header(":exception-type", type) +
                     text_header(":content-type", "application/json") +
                     text_header(":message-type", "exception"),
                 payload);
}

inline bool equal_json(simdjson::dom::element left, simdjson::dom::element right) {
  using simdjson::dom::element_type;
  if (left.is_object() && right.is_object()) {
    const simdjson::dom::object one = left.get_object().value(), other = right.get_object().value();
    bool equal = one.size() == other.size();
    for (const auto field : one) {
      simdjson::dom::element value;
      equal = equal && !other.at_key(field.key).get(value) && equal_json(field.value, value);
    }
    return equal;
  }
  if (left.is_array() && right.is_array()) {
    const simdjson::dom::array one = left.get_array().value(), other = right.get_array().value();
    bool equal = one.size() == other.size();
    for (std::size_t at = 0; equal && at < one.size(); ++at) {
      equal = equal_json(one.at(at).value(), other.at(at).value());
    }
    return equal;
  }
  return simdjson::minify(left) == simdjson::minify(right);
}

// The same JSON value, whatever the order of members and the white space.
inline bool same_json(std::string_view left, std::string_view right) {
  simdjson::dom::parser one, other;
  simdjson::dom::element first, second;
  return !one.parse(left.data(), left.size()).get(first) &&
         !other.parse(right.data(), right.size()).get(second) && equal_json(first, second);
}

}  // namespace invlog::tests

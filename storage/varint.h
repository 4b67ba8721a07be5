// Unsigned integers of 1 to 10 bytes, seven bits a byte, least significant first, the high bit
// meaning "more follows" (LEB128). Used in a segment's stream, see FORMAT.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace invlog::storage {

inline void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Takes one from the front of `input`. False: `input` ends inside it, or it is over 64 bits; then
// `input` is unchanged.
inline bool take_varint(std::string_view& input, std::uint64_t& value) {
  std::uint64_t result = 0;
  for (std::size_t i = 0; i < input.size() && i < 10; ++i) {
    const auto byte = static_cast<unsigned char>(input[i]);
    if (i == 9 && byte > 1) {
      return false;
    }
    result |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      value = result;
      input.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

}  // namespace invlog::storage

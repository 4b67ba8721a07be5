#include "exporters/s3/content_checksum.h"

#include <libdeflate.h>

#include <array>
#include <cstddef>

#include "exporters/aws/sigv4.h"
#include "storage/base64.h"

namespace invlog::exporters {
namespace {

// Slicing by eight: eight bytes a step with one table look-up each, several times as fast as one
// byte a step and free of any one processor's instructions.
constexpr std::size_t kSlices = 8;
using CrcTables = std::array<std::array<std::uint32_t, 256>, kSlices>;

constexpr CrcTables make_crc32c_tables() {
  constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
  CrcTables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1) != 0 ? kReversedPolynomial : 0);
    }
    tables[0][byte] = crc;
  }
  for (std::size_t slice = 1; slice < kSlices; ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t before = tables[slice - 1][byte];
      tables[slice][byte] = (before >> 8) ^ tables[0][before & 0xff];
    }
  }
  return tables;
}

constexpr CrcTables kCrc32c = make_crc32c_tables();

std::uint32_t byte_at(std::string_view bytes, std::size_t position) {
  return static_cast<unsigned char>(bytes[position]);
}

std::string big_endian(std::uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((number >> shift) & 0xff));
  }
  return bytes;
}

std::string sha256(std::string_view bytes) {
  const auto nibble = [](char digit) {
    return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
  };
  const std::string hex = aws::sha256_hex(bytes);
  std::string digest;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    digest.push_back(static_cast<char>(nibble(hex[i]) << 4 | nibble(hex[i + 1])));
  }
  return digest;
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = 0xffffffff;
  while (bytes.size() >= kSlices) {
    const std::uint32_t low = crc ^ (byte_at(bytes, 0) | byte_at(bytes, 1) << 8 |
                                     byte_at(bytes, 2) << 16 | byte_at(bytes, 3) << 24);
    crc = kCrc32c[7][low & 0xff] ^ kCrc32c[6][(low >> 8) & 0xff] ^ kCrc32c[5][(low >> 16) & 0xff] ^
          kCrc32c[4][low >> 24] ^ kCrc32c[3][byte_at(bytes, 4)] ^ kCrc32c[2][byte_at(bytes, 5)] ^
          kCrc32c[1][byte_at(bytes, 6)] ^ kCrc32c[0][byte_at(bytes, 7)];
    bytes.remove_prefix(kSlices);
  }
  for (const char byte : bytes) {
    crc = (crc >> 8) ^ kCrc32c[0][(crc ^ static_cast<unsigned char>(byte)) & 0xff];
  }
  return ~crc;
}

std::string checksum_header(Checksum checksum) {
  switch (checksum) {
    case Checksum::crc32:
      return "x-amz-checksum-crc32";
    case Checksum::crc32c:
      return "x-amz-checksum-crc32c";
    case Checksum::sha256:
      break;
  }
  return "x-amz-checksum-sha256";
}

std::string checksum_algorithm(Checksum checksum) {
  switch (checksum) {
    case Checksum::crc32:
      return "CRC32";
    case Checksum::crc32c:
      return "CRC32C";
    case Checksum::sha256:
      break;
  }
  return "SHA256";
}

std::string checksum_value(Checksum checksum, std::string_view bytes) {
  switch (checksum) {
    case Checksum::crc32:
      return storage::base64_encode(big_endian(libdeflate_crc32(0, bytes.data(), bytes.size())));
    case Checksum::crc32c:
      return storage::base64_encode(big_endian(crc32c(bytes)));
    case Checksum::sha256:
      break;
  }
  return storage::base64_encode(sha256(bytes));
}

}  // namespace invlog::exporters

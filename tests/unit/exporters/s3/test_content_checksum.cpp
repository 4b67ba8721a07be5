#include "exporters/s3/content_checksum.h"

#include "tests/catch.h"

using namespace invlog::exporters;

TEST_CASE("Checksums have the published values") {
  // The check values of the CRC catalogue, and FIPS 180-2's.
  CHECK(checksum_value(Checksum::crc32, "123456789") == "y/Q5Jg==");
  CHECK(checksum_value(Checksum::crc32c, "123456789") == "4waSgw==");
  CHECK(checksum_value(Checksum::sha256, "abc") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
  CHECK(checksum_value(Checksum::crc32, "") == "AAAAAA==");
  CHECK(checksum_value(Checksum::crc32c, "") == "AAAAAA==");
  CHECK(checksum_value(Checksum::sha256, "") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST_CASE("CRC-32C does not depend on how the bytes fall into words") {
  // RFC 3720, B.4
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  std::string ascending, descending;
  for (char byte = 0; byte < 32; ++byte) {
    ascending.push_back(byte);
    descending.insert(descending.begin(), byte);
  }
  CHECK(crc32c(ascending) == 0x46dd794e);
  CHECK(crc32c(descending) == 0x113fdb5c);
}

TEST_CASE("A checksum's header and algorithm are S3's") {
  CHECK(checksum_header(Checksum::sha256) == "x-amz-checksum-sha256");
  CHECK(checksum_header(Checksum::crc32) == "x-amz-checksum-crc32");
  CHECK(checksum_header(Checksum::crc32c) == "x-amz-checksum-crc32c");
  CHECK(checksum_algorithm(Checksum::sha256) == "SHA256");
  CHECK(checksum_algorithm(Checksum::crc32) == "CRC32");
  CHECK(checksum_algorithm(Checksum::crc32c) == "CRC32C");
}

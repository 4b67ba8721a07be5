// The checksum that goes with an object, and that S3 recomputes before it takes the object: a fault
// on the way, or in this host's memory after compression, becomes an error and not a damaged log.
// Source: S3 API, "Checking object integrity"; facts/aws-delivery.md §2.
//
// Always a header of a request with Content-Length: a trailer needs a chunked body, which stores
// other than AWS's refuse.
//
// Pure functions; any thread; throw only what aws::sha256_hex does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

// "x-amz-checksum-sha256", in lower case
std::string checksum_header(Checksum checksum);
// "SHA256": the value of x-amz-sdk-checksum-algorithm
std::string checksum_algorithm(Checksum checksum);
// The header's value: base64 of the digest, big-endian for the CRCs.
std::string checksum_value(Checksum checksum, std::string_view bytes);

// CRC-32C (Castagnoli, RFC 3720 §12.1).
std::uint32_t crc32c(std::string_view bytes);

}  // namespace invlog::exporters

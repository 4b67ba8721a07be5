// AWS Signature Version 4, header form. Source: facts/aws-delivery.md §5; proved on
// awslabs/aws-c-auth's 38 vectors.
//
// Any thread; a Signer caches the day's signing key, so one per thread. Throws std::runtime_error
// only if OpenSSL has no SHA-256; no request makes it fail. Canonical URI for services other than
// S3: the path as sent on the wire, URI-encoded once more (a wire %3A becomes %253A, a raw ':'
// becomes %3A).
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporters/aws/credentials.h"

namespace invlog::aws {

struct SigningRequest {
  std::string_view method;
  std::string_view path;   // as on the wire, without the query
  std::string_view query;  // as on the wire, without '?'
  // Headers to sign, names in any case; must include host. x-amz-date and x-amz-security-token are
  // added by sign(), which takes no notice of such headers given here.
  std::vector<std::pair<std::string_view, std::string_view>> headers;
  std::string_view payload_sha256_hex;  // lower-case hex of SHA-256 of the body
  bool normalize_path = false;    // remove dot segments and double slashes; true for all but S3
  bool encode_path_again = true;  // false for S3
};

struct Signature {
  std::string amz_date;                           // value of x-amz-date
  std::string security_token;                     // value of x-amz-security-token, "" if none
  std::string authorization;                      // value of Authorization
  std::string canonical_request, string_to_sign;  // for tests and `doctor`
};

class Signer {
 public:
  Signer(std::string region, std::string service);
  Signature sign(const SigningRequest& request, const Credentials& credentials,
                 std::chrono::system_clock::time_point now);

 private:
  void derive_key(std::string_view day, std::string_view secret);

  std::string region_, service_;
  std::string key_day_, key_secret_, key_;  // cached signing key and what it was derived from
};

// Lower-case hex SHA-256.
std::string sha256_hex(std::string_view bytes);

}  // namespace invlog::aws

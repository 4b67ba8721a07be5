// What may be known of the signature that an application made: whose key, and when. The signature
// itself, and a session token, go nowhere but to AWS. Source: AWS Signature Version 4,
// "Authorization header" and "Query parameters"; facts/bedrock.md §6.4.
//
// Pure function; any thread. Errors: what cannot be read is "".
#pragma once

#include <string>

#include "agent/capture/http_message.h"

namespace invlog::capture {

struct ClientSignature {
  std::string access_key_id;  // "" not signed, or not as AWS does it
  std::string signed_at;      // "2026-04-11T10:11:12Z"
};

ClientSignature client_signature(const RequestHead& request);

}  // namespace invlog::capture

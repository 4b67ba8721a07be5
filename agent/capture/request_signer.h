// Turns a client's request into the head that goes upstream: hop-by-hop headers gone, and signed
// with the agent's own credentials unless the client brought a bearer key.
//
// A client's SigV4 signature covers the Host that the client used, so it cannot be passed on: it is
// replaced. Few headers are signed (host, content-type, x-amz-*, Bedrock's request metadata): a
// header that something on the way changes would break the signature. facts/bedrock.md §1.10,
// facts/aws-delivery.md §5.2.
//
// Thread: the I/O thread. Errors: results. A secret, a key or a signature never appears in one.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "agent/capture/http_message.h"
#include "agent/capture/upstream_endpoint.h"
#include "exporters/aws/sigv4.h"

namespace invlog::capture {

// Whether the request carries a bearer key, which passes untouched.
bool has_bearer_key(const RequestHead& request);

class RequestSigner {
 public:
  explicit RequestSigner(const std::string& region) : signer_(region, "bedrock") {}

  // The request's head as it goes upstream, up to and including the empty line. `credentials` null:
  // a bearer request.
  std::string upstream_head(const RequestHead& request, std::string_view body,
                            const UpstreamEndpoint& endpoint, const aws::Credentials* credentials,
                            std::chrono::system_clock::time_point now);

 private:
  aws::Signer signer_;
};

}  // namespace invlog::capture

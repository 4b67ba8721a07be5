#include "agent/capture/request_signer.h"

#include <vector>

namespace invlog::capture {
namespace {

bool is_client_signature(std::string_view name) {
  return equal_ignoring_case(name, "authorization") || equal_ignoring_case(name, "x-amz-date") ||
         equal_ignoring_case(name, "x-amz-security-token") ||
         equal_ignoring_case(name, "x-amz-content-sha256");
}

// The service refuses a request with an x-amz-* header or with metadata that is not signed. Others
// are left out, since proxies may change them.
bool must_be_signed(std::string_view name) {
  constexpr std::string_view kPrefix = "x-amz-";
  return equal_ignoring_case(name, "content-type") ||
         equal_ignoring_case(name, "x-amzn-bedrock-request-metadata") ||
         (equal_ignoring_case(name.substr(0, kPrefix.size()), kPrefix) &&
          !is_client_signature(name));
}

}  // namespace

bool has_bearer_key(const RequestHead& request) {
  const std::string_view value = find_header(request.headers, "authorization");
  return value.size() > 7 && equal_ignoring_case(value.substr(0, 7), "bearer ");
}

std::string RequestSigner::upstream_head(const RequestHead& request, std::string_view body,
                                         const UpstreamEndpoint& endpoint,
                                         const aws::Credentials* credentials,
                                         std::chrono::system_clock::time_point now) {
  std::vector<const Header*> headers;
  headers.reserve(request.headers.size());
  const bool names_more = has_header(request.headers, "connection");
  for (const Header& header : request.headers) {
    if (!(names_more ? is_hop_by_hop(request.headers, header.first) : is_hop_by_hop(header.first)))
      headers.push_back(&header);
  }
  const std::string target = endpoint.base_path + request.target;
  std::string head;
  head.reserve(1536);
  head.append(request.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  append_header(head, "Host", endpoint.host_header);
  for (const Header* header : headers) {
    const auto& [name, value] = *header;
    if (equal_ignoring_case(name, "host") || equal_ignoring_case(name, "content-length") ||
        equal_ignoring_case(name, "expect") ||
        (credentials != nullptr && is_client_signature(name))) {
      continue;
    }
    append_header(head, name, value);
  }
  // The body was collected, so its length is known however it came. A request without one says so
  // only if it did.
  if (!body.empty() || has_header(request.headers, "content-length") ||
      has_header(request.headers, "transfer-encoding") || request.method == "POST" ||
      request.method == "PUT") {
    append_header(head, "Content-Length", std::to_string(body.size()));
  }

  if (credentials != nullptr) {
    const std::string digest = aws::sha256_hex(body);
    aws::SigningRequest signing;
    signing.method = request.method;
    const std::size_t mark = target.find('?');
    signing.path = std::string_view(target).substr(0, mark);
    if (mark != std::string::npos)
      signing.query = std::string_view(target).substr(mark + 1);
    signing.normalize_path = true;
    signing.payload_sha256_hex = digest;
    signing.headers.reserve(8);
    signing.headers.emplace_back("host", endpoint.host_header);
    signing.headers.emplace_back("x-amz-content-sha256", digest);
    for (const Header* header : headers) {
      if (must_be_signed(header->first))
        signing.headers.emplace_back(header->first, header->second);
    }
    const aws::Signature signature = signer_.sign(signing, *credentials, now);
    append_header(head, "X-Amz-Date", signature.amz_date);
    if (!signature.security_token.empty()) {
      append_header(head, "X-Amz-Security-Token", signature.security_token);
    }
    append_header(head, "X-Amz-Content-SHA256", digest);
    append_header(head, "Authorization", signature.authorization);
  }
  head += "\r\n";
  return head;
}

}  // namespace invlog::capture

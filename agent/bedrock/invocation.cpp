#include "agent/bedrock/invocation.h"

#include <algorithm>
#include <array>

#include "storage/lower_case.h"

namespace invlog::bedrock {
namespace {

bool same_name(std::string_view left, std::string_view right) {
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(), [](char one, char other) {
           return storage::lower_case(one) == storage::lower_case(other);
         });
}

// What build_record reads, and the InvokeModel parameters that exist only as headers
// (facts/bedrock.md §2.2).
constexpr std::array<std::string_view, 10> kKeptRequestHeaders = {
    "content-type",
    "content-encoding",
    "amz-sdk-invocation-id",
    "x-amzn-bedrock-request-metadata",
    "x-amzn-bedrock-trace",
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
    "x-amzn-bedrock-performanceconfig-latency",
    "x-amzn-bedrock-service-tier",
    "x-amzn-bedrock-accept",
};

std::size_t memory_of(const Headers& headers) {
  std::size_t bytes = headers.capacity() * sizeof(Headers::value_type);
  for (const auto& [name, value] : headers) {
    bytes += name.capacity() + value.capacity();
  }
  return bytes;
}

}  // namespace

std::string_view header(const Headers& headers, std::string_view name) {
  for (const auto& [candidate, value] : headers) {
    if (same_name(candidate, name)) {
      return value;
    }
  }
  return {};
}

std::string joined_header(const Headers& headers, std::string_view name) {
  std::string joined;
  for (const auto& [candidate, value] : headers) {
    if (same_name(candidate, name)) {
      joined += (joined.empty() ? "" : ", ") + value;
    }
  }
  return joined;
}

bool kept_request_header(std::string_view name) {
  return std::any_of(kKeptRequestHeaders.begin(), kKeptRequestHeaders.end(),
                     [&](std::string_view kept) { return same_name(kept, name); });
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::complete:
      return "complete";
    case Outcome::client_closed:
      return "client-closed";
    case Outcome::upstream_closed:
      return "upstream-closed";
    case Outcome::timeout:
      return "timeout";
    case Outcome::denied:
      return "denied";
    case Outcome::error:
      return "error";
    case Outcome::interrupted:
      return "interrupted";
  }
  return "";
}

std::size_t Invocation::memory_bytes() const {
  return sizeof(*this) + method.capacity() + target.capacity() + memory_of(request_headers) +
         request.bytes.capacity() + memory_of(response_headers) + response.bytes.capacity() +
         error.capacity() + identity_arn.capacity() + caller.name.capacity() +
         caller.executable.capacity() + residency.scope.capacity() + residency.profile.capacity() +
         residency.destinations.capacity() + residency.decision.capacity() +
         residency.rule.capacity() + access_key_id.capacity() + signed_at.capacity();
}

}  // namespace invlog::bedrock

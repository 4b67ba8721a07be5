// Which hosts the proxy intercepts: the names of the source Region's Bedrock runtime, and no other.
// Sources: botocore's endpoint rules of bedrock-runtime and its partitions.json; facts/bedrock.md
// §2, facts/aws-delivery.md §3.
//
// Thread: any; immutable. Errors: results.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace invlog::proxy {

struct Authority {
  std::string host;  // lower case, without brackets and without a final dot
  std::uint16_t port = 0;
};

// "host:port", "[v6]:port": the target of a CONNECT (RFC 9110 §9.3.6); a port there must be. The
// error says what is wrong with it.
tl::expected<Authority, std::string> parse_authority(std::string_view target);

class BedrockHosts {
 public:
  enum class Kind {
    intercept,     // the source Region's Bedrock runtime
    other_region,  // Bedrock runtime or bedrock-mantle, public or by a VPC endpoint, of another
                   // Region
    other
  };

  // `more`: names that configuration adds (VPC endpoints), lower case.
  BedrockHosts(std::string region, std::vector<std::string> more);

  // `host` as in Authority, or a name from a TLS client's hello.
  Kind judge(std::string_view host) const;
  // The names that are intercepted, AWS's own first: plain, FIPS, dual-stack, FIPS dual-stack of
  // the Region's partition.
  const std::vector<std::string>& names() const { return names_; }
  // For a certificate's name constraints: names(), and the domain of the Region's VPC endpoints.
  std::vector<std::string> permitted_names() const;

 private:
  std::string region_;
  std::vector<std::string> names_;
};

}  // namespace invlog::proxy

// Which hosts the proxy intercepts: the names of the source Region's Bedrock runtime, and no other.
// Sources: botocore's endpoint rules of bedrock-runtime and its partitions.json; facts/bedrock.md
// §2, facts/aws-delivery.md §3.
//
// Thread: any; immutable. Errors: results.
#pragma once

#include <algorithm>
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

// A DNS name in lower case without its final dot; "" if it is none: letters, digits, "-" and "_",
// in labels of 63 and names of 253 at most, and not what a resolver takes for an IPv4 address.
std::string dns_name_of(std::string_view text);

class BedrockHosts {
 public:
  enum class Kind {
    intercept,     // the source Region's Bedrock runtime
    other_region,  // Bedrock runtime or bedrock-mantle, public or by a VPC endpoint, of another
                   // Region
    mantle,        // bedrock-mantle of the Region: another service, which is not read
    other
  };

  // `more`: names that configuration adds (VPC endpoints), lower case.
  BedrockHosts(std::string region, std::vector<std::string> more);

  // `host` as in Authority, or a name from a TLS client's hello.
  // VPC endpoints (*.bedrock-runtime.<Region>.vpce.<suffix>) of the Region are intercepted, too: by
  // their names they are its runtime. A Bedrock name that pairs the Region with another partition's
  // suffix is other_region.
  Kind judge(std::string_view host) const;
  // The names that are intercepted, AWS's own first: plain, FIPS, dual-stack, FIPS dual-stack of
  // the Region's partition.
  const std::vector<std::string>& names() const { return names_; }
  bool is_named(std::string_view host) const {
    return std::find(names_.begin(), names_.end(), host) != names_.end();
  }
  // For a certificate's name constraints: names(), and the domain of the Region's VPC endpoints.
  std::vector<std::string> permitted_names() const;

 private:
  std::string region_;
  std::vector<std::string> names_;
};

}  // namespace invlog::proxy

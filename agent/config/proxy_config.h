// [proxy]: interception that keeps the application's own signature (DESIGN.md, "Proxy mode").
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace invlog::config {

// What happens to a CONNECT, or a TLS connection, to a host that is no Bedrock runtime endpoint.
enum class OtherHosts { tunnel, refuse };
// And to one that is a Bedrock endpoint of another Region; flag: tunnelled, with an event.
enum class OtherRegions { refuse, flag };

struct ProxyConfig {
  // Where it listens, once `invlog ca init` has made a certificate authority; "": nowhere. The same
  // as [agent]'s `listen`: one port for both.
  std::string listen_host = "127.0.0.1";
  std::uint16_t listen_port = 4181;  // 0: the kernel picks; the log says which
  OtherHosts other_hosts = OtherHosts::tunnel;
  OtherRegions other_regions = OtherRegions::refuse;
  // Names of the Region's Bedrock runtime besides AWS's public ones (VPC endpoints); lower case.
  std::vector<std::string> hosts;
  // Where connections to intercepted hosts go instead of what their names resolve to; "" there. The
  // certificate must still be the host's.
  std::string connect_host;
  std::uint16_t connect_port = 443;

  bool operator==(const ProxyConfig&) const = default;
};

}  // namespace invlog::config

// Where calls go: the upstream's URL, and the company's proxy on the way there, if any.
//
// Plain values and pure functions; any thread. Errors are results that name the variable or URL and
// the cause; a password in a proxy's URL never appears in one.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/credentials.h"

namespace invlog::capture {

class NameLookup;

struct ProxyEndpoint {
  std::string host;
  std::uint16_t port = 0;
  std::string authorization;  // value of Proxy-Authorization, "" none
};

struct UpstreamEndpoint {
  bool tls = true;
  std::string host;  // without brackets
  std::uint16_t port = 443;
  std::string host_header;  // what Host says, and what is signed
  std::string base_path;    // "" or "/prefix", before each target
  std::optional<ProxyEndpoint> proxy;
  // Where to connect instead of to the host; "" to the host, or by the proxy.
  std::string connect_host;
  std::uint16_t connect_port = 0;
  bool offers_http2 = false;  // in TLS, besides HTTP/1.1
  // Shared out among a name's addresses, so that one that does not answer leaves time for the next;
  // 0: each has as long as whoever opens the connection waits.
  std::chrono::milliseconds connect_timeout{0};
  // Looks its name up, with others'; none: each connection by itself.
  std::shared_ptr<NameLookup> names;
};

// `url`: http://host[:port][/prefix] or https://... HTTPS_PROXY and NO_PROXY (and their lower-case
// forms) come from `environment`: used for https upstreams, never for loopback. NO_PROXY is a
// comma-separated list of host names, domain suffixes (with or without leading dot), addresses,
// each with an optional :port, or "*".
tl::expected<UpstreamEndpoint, std::string> parse_upstream(std::string_view url,
                                                           const aws::Environment& environment);
// HTTPS_PROXY's value, if there is any.
tl::expected<std::optional<ProxyEndpoint>, std::string> company_proxy(
    const aws::Environment& environment);
// Whether NO_PROXY's value exempts host:port.
bool is_exempt_from_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port);

}  // namespace invlog::capture

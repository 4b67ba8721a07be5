#include "agent/capture/upstream_endpoint.h"

#include "agent/capture/http_message.h"
#include "agent/config/own_address.h"
#include "agent/config/setting_checks.h"
#include "storage/base64.h"

namespace invlog::capture {
namespace {

struct Url {
  std::string scheme, user_info, host, path;
  std::optional<std::uint16_t> port;
};

// Splits host[:port] and [v6][:port]; false if malformed.
bool split_host_port(std::string_view text, std::string& host, std::optional<std::uint16_t>& port) {
  std::string_view rest;
  if (!text.empty() && text.front() == '[') {
    const std::size_t bracket = text.find(']');
    if (bracket == std::string_view::npos)
      return false;
    host = text.substr(1, bracket - 1);
    rest = text.substr(bracket + 1);
  } else {
    const std::size_t colon = text.find(':');
    host = text.substr(0, colon);
    if (colon != std::string_view::npos)
      rest = text.substr(colon);
  }
  if (host.empty())
    return false;
  if (!rest.empty()) {
    if (rest.front() != ':')
      return false;
    port = config::parse_port(rest.substr(1));
    if (!port)
      return false;
  }
  return true;
}

std::optional<Url> parse_url(std::string_view text) {
  Url url;
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos)
    return std::nullopt;
  url.scheme = text.substr(0, scheme_end);
  text.remove_prefix(scheme_end + 3);
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos)
    url.path = text.substr(slash);
  std::string_view authority = text.substr(0, slash);
  const std::size_t at = authority.rfind('@');
  if (at != std::string_view::npos) {
    url.user_info = authority.substr(0, at);
    authority.remove_prefix(at + 1);
  }
  for (unsigned char character : text) {
    if (character <= 0x20 || character == 0x7f)
      return std::nullopt;
  }
  if (url.path.find_first_of("?#") != std::string::npos)
    return std::nullopt;
  if (!split_host_port(authority, url.host, url.port))
    return std::nullopt;
  return url;
}

std::string percent_decoded(std::string_view text) {
  const auto digit = [](char character) {
    if (character >= '0' && character <= '9')
      return character - '0';
    if (character >= 'a' && character <= 'f')
      return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
      return character - 'A' + 10;
    return -1;
  };
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && at + 2 < text.size() && digit(text[at + 1]) >= 0 &&
        digit(text[at + 2]) >= 0) {
      out += static_cast<char>(digit(text[at + 1]) * 16 + digit(text[at + 2]));
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::optional<std::string> variable(const aws::Environment& environment, const char* lower,
                                    const char* upper) {
  std::optional<std::string> value = environment(lower);
  if (!value || value->empty())
    value = environment(upper);
  if (value && value->empty())
    value.reset();
  return value;
}

}  // namespace

bool is_exempt_from_proxy(std::string_view no_proxy, std::string_view host, std::uint16_t port) {
  while (!no_proxy.empty()) {
    const std::size_t comma = no_proxy.find(',');
    std::string_view entry = no_proxy.substr(0, comma);
    no_proxy.remove_prefix(comma == std::string_view::npos ? no_proxy.size() : comma + 1);
    while (!entry.empty() && entry.front() == ' ')
      entry.remove_prefix(1);
    while (!entry.empty() && entry.back() == ' ')
      entry.remove_suffix(1);
    if (entry == "*")
      return true;
    const std::size_t colon = entry.rfind(':');
    if (colon != std::string_view::npos && entry.find(':') == colon) {
      if (config::parse_port(entry.substr(colon + 1)) != port)
        continue;
      entry = entry.substr(0, colon);
    }
    if (entry.substr(0, 2) == "*.")
      entry.remove_prefix(1);
    if (!entry.empty() && entry.front() == '.')
      entry.remove_prefix(1);
    if (entry.empty())
      continue;
    if (equal_ignoring_case(entry, host))
      return true;
    if (host.size() > entry.size() && host[host.size() - entry.size() - 1] == '.' &&
        equal_ignoring_case(host.substr(host.size() - entry.size()), entry)) {
      return true;
    }
  }
  return false;
}

tl::expected<std::optional<ProxyEndpoint>, std::string> company_proxy(
    const aws::Environment& environment) {
  const auto proxy_url = variable(environment, "https_proxy", "HTTPS_PROXY");
  if (!proxy_url)
    return std::nullopt;
  const std::optional<Url> proxy =
      parse_url(proxy_url->find("://") == std::string::npos ? "http://" + *proxy_url : *proxy_url);
  if (!proxy || proxy->scheme != "http") {
    return tl::unexpected(
        std::string("HTTPS_PROXY: expected http://[USER:PASSWORD@]HOST[:PORT]; the agent speaks "
                    "CONNECT over plain HTTP to the proxy"));
  }
  ProxyEndpoint target{proxy->host, proxy->port.value_or(80), ""};
  if (!proxy->user_info.empty()) {
    target.authorization = "Basic " + storage::base64_encode(percent_decoded(proxy->user_info));
  }
  return target;
}

tl::expected<UpstreamEndpoint, std::string> parse_upstream(std::string_view url,
                                                           const aws::Environment& environment) {
  const std::optional<Url> parsed = parse_url(url);
  if (!parsed || !parsed->user_info.empty() ||
      (parsed->scheme != "https" && parsed->scheme != "http")) {
    return tl::unexpected("upstream \"" + std::string(url) +
                          "\": expected http://HOST[:PORT] or https://HOST[:PORT]");
  }
  UpstreamEndpoint endpoint;
  endpoint.tls = parsed->scheme == "https";
  endpoint.host = parsed->host;
  const std::uint16_t usual_port = endpoint.tls ? 443 : 80;
  endpoint.port = parsed->port.value_or(usual_port);
  const bool v6 = endpoint.host.find(':') != std::string::npos;
  endpoint.host_header = v6 ? "[" + endpoint.host + "]" : endpoint.host;
  if (endpoint.port != usual_port)
    endpoint.host_header += ":" + std::to_string(endpoint.port);
  endpoint.base_path = parsed->path;
  while (!endpoint.base_path.empty() && endpoint.base_path.back() == '/') {
    endpoint.base_path.pop_back();
  }

  if (!endpoint.tls || config::is_this_host(endpoint.host))
    return endpoint;
  const auto no_proxy = variable(environment, "no_proxy", "NO_PROXY");
  if (no_proxy && is_exempt_from_proxy(*no_proxy, endpoint.host, endpoint.port))
    return endpoint;
  const auto proxy = company_proxy(environment);
  if (!proxy)
    return tl::unexpected(proxy.error());
  endpoint.proxy = *proxy;
  return endpoint;
}

}  // namespace invlog::capture

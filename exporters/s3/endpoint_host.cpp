#include "exporters/s3/endpoint_host.h"

#include <algorithm>

#include "exporters/aws/endpoints.h"

namespace invlog::exporters {
namespace {

bool only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

std::string host_of_endpoint(std::string_view endpoint) {
  const std::size_t scheme_end = endpoint.find("://");
  if (scheme_end == std::string_view::npos ||
      (endpoint.substr(0, scheme_end) != "https" && endpoint.substr(0, scheme_end) != "http")) {
    return "";
  }
  std::string_view host = endpoint.substr(scheme_end + 3);
  std::string_view port;
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    if (end == std::string_view::npos) {
      return "";
    }
    port = host.substr(end + 1);
    host = host.substr(1, end - 1);
    if (!only(host, "0123456789abcdefABCDEF:.")) {
      return "";
    }
  } else {
    const std::size_t colon = std::min(host.find(':'), host.size());
    port = host.substr(colon);
    host = host.substr(0, colon);
    if (!only(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._")) {
      return "";
    }
  }
  if (!port.empty() && (port[0] != ':' || !only(port.substr(1), "0123456789"))) {
    return "";
  }
  std::string lower(host);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
  });
  return lower;
}

bool is_ip_address(std::string_view host) {
  return host.find(':') != std::string_view::npos || only(host, "0123456789.");
}

bool is_aws_host(std::string_view host) {
  if (host.ends_with('.')) {
    host.remove_suffix(1);
  }
  return !aws::aws_domain_of(host).empty();
}

std::string region_of_host(std::string_view service, std::string_view host) {
  const bool aws = is_aws_host(host);
  const std::string_view found = aws::region_in_host(service, host);
  if (!found.empty() || !aws) {
    return std::string(found);
  }
  while (!host.empty()) {
    const std::size_t dot = std::min(host.find('.'), host.size());
    if (const auto region = aws::region_in_label(host.substr(0, dot)); !region.empty()) {
      return std::string(region);
    }
    host.remove_prefix(std::min(dot + 1, host.size()));
  }
  return "";
}

}  // namespace invlog::exporters

#include "agent/capture/browser_guard.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "agent/config/setting_checks.h"
#include "storage/lower_case.h"

namespace invlog::capture {
namespace {

// A value that a client made up, as a log may have it.
std::string shown(std::string_view value) {
  constexpr std::size_t kLongest = 100;
  std::string text(value.substr(0, kLongest));
  std::replace_if(
      text.begin(), text.end(), [](char character) { return character < ' ' || character > '~'; },
      '?');
  return text;
}

// Lower case, without port, brackets and the root's dot.
std::string host_in(std::string_view authority) {
  std::string_view host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') == std::string_view::npos ? 0 : host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.'))
    host.remove_suffix(1);
  return storage::lower_case(host);
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool is_single_label(std::string_view host) {
  return host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string_view::npos;
}

bool is_bedrock_endpoint(std::string_view host) {
  return host.find("bedrock") != std::string_view::npos &&
         config::region_of_aws_host(host).has_value();
}

bool matches(std::string_view pattern, std::string_view host) {
  if (pattern == "*")
    return true;
  return pattern.starts_with("*.")
             ? host.size() > pattern.size() - 1 && host.ends_with(pattern.substr(1))
             : host == pattern;
}

}  // namespace

BrowserGuard::BrowserGuard(std::vector<std::string> allowed_hosts, std::string upstream_host)
    : allowed_hosts_(std::move(allowed_hosts)), upstream_host_(host_in(upstream_host)) {}

bool BrowserGuard::knows(std::string_view authority) const {
  const std::string host = host_in(authority);
  return host.empty()
             ? authority.empty()
             : is_single_label(host) || is_address(host) || host.ends_with(".localhost") ||
                   host == upstream_host_ || is_bedrock_endpoint(host) ||
                   std::any_of(allowed_hosts_.begin(), allowed_hosts_.end(),
                               [&](const std::string& pattern) { return matches(pattern, host); });
}

std::string BrowserGuard::problem(const RequestHead& request) const {
  if (has_header(request.headers, "origin")) {
    return "invlog: the request comes from a web page (it has an Origin header), and those may not "
           "call; applications call without one";
  }
  if (request.method == "CONNECT")
    return "";  // its Host is where it wants to go, and it goes nowhere
  const auto refused = [this](std::string_view authority) {
    return knows(authority)
               ? std::string()
               : "invlog: the request was made to the host " + config::in_quotes(shown(authority)) +
                     ", which is no name of this agent: call it by its address, or add the name to "
                     "allowed_hosts in its configuration";
  };
  if (std::string problem = refused(request.authority); !problem.empty())
    return problem;
  for (const auto& [name, value] : request.headers) {
    if (!equal_ignoring_case(name, "host"))
      continue;
    if (std::string problem = refused(value); !problem.empty())
      return problem;
  }
  return "";
}

}  // namespace invlog::capture

#include "agent/proxy/bedrock_hosts.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "agent/config/setting_checks.h"
#include "exporters/aws/endpoints.h"
#include "storage/lower_case.h"

namespace invlog::proxy {
namespace {

constexpr std::size_t kLongestName = 253, kLongestLabel = 63;  // RFC 1035 §2.3.4
constexpr std::string_view kRuntimes[] = {"bedrock-runtime", "bedrock-runtime-fips"};
constexpr std::string_view kMantles[] = {"bedrock-mantle", "bedrock-mantle-fips"};
constexpr std::string_view kVpcEndpoints = "vpce";

bool only(std::string_view text, std::string_view allowed) {
  return !text.empty() && text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kLongestLabel && label.front() != '-' &&
         label.back() != '-' && only(label, "abcdefghijklmnopqrstuvwxyz0123456789-_");
}

// Takes the last label off a name; "" if there is none left.
std::string_view take_last_label(std::string_view& name) {
  const std::size_t dot = name.rfind('.');
  const std::string_view label = dot == std::string_view::npos ? name : name.substr(dot + 1);
  name = dot == std::string_view::npos ? std::string_view{} : name.substr(0, dot);
  return label;
}

// What the resolver would take for an IPv4 address in one of its older forms: 127.1, 0x7f000001.
bool ends_in_a_number(std::string_view name) {
  const std::string_view last = take_last_label(name);
  return only(last, "0123456789") ||
         (last.starts_with("0x") &&
          last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos);
}

// In the form in which inet_ntop() writes it, so that one address has one name; "" if it is none.
std::string canonical_address(int family, std::string_view text) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  std::array<char, INET6_ADDRSTRLEN> written{};
  if (text.find('\0') != std::string_view::npos ||
      ::inet_pton(family, std::string(text).c_str(), bytes.data()) != 1 ||
      ::inet_ntop(family, bytes.data(), written.data(), written.size()) == nullptr) {
    return "";
  }
  return written.data();
}

// The host and ":port" of an authority; false if there is no such form to be seen.
bool split(std::string_view target, std::string_view& host, std::string_view& port) {
  const std::size_t colon = target.rfind(':');
  if (colon == std::string_view::npos) {
    return false;
  }
  host = target.substr(0, colon);
  port = target.substr(colon + 1);
  return host.find(':') == std::string_view::npos ||
         (host.front() == '[' && host.back() == ']' && host.size() > 2);
}

// What the last labels of an AWS host name say of it: [...] service . Region [. vpce] . domain.
struct AwsName {
  std::string_view service, region, domain;
  bool vpc_endpoint = false, labels_before = false;
};

AwsName aws_name(std::string_view host) {
  AwsName name;
  name.domain = aws::aws_domain_of(host);
  if (name.domain.empty() || host.size() <= name.domain.size()) {
    return {};
  }
  host.remove_suffix(name.domain.size() + 1);
  name.region = take_last_label(host);
  name.vpc_endpoint = name.region == kVpcEndpoints;
  if (name.vpc_endpoint) {
    name.region = take_last_label(host);
  }
  name.service = take_last_label(host);
  name.labels_before = !host.empty();
  return name;
}

template <std::size_t count>
bool is_one_of(std::string_view text, const std::string_view (&names)[count]) {
  return std::find(std::begin(names), std::end(names), text) != std::end(names);
}

bool is_of(const AwsName& name, std::string_view region) {
  return name.region == region && (name.domain == aws::domain_suffix_of(region) ||
                                   name.domain == aws::dual_stack_suffix_of(region));
}

}  // namespace

std::string dns_name_of(std::string_view text) {
  text.remove_suffix(text.ends_with('.') ? 1 : 0);
  if (text.empty() || text.size() > kLongestName) {
    return "";
  }
  std::string name = storage::lower_case(text);
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('.', begin), name.size());
    if (!is_label(std::string_view(name).substr(begin, end - begin))) {
      return "";
    }
    begin = end + 1;
  }
  return ends_in_a_number(name) ? "" : name;
}

tl::expected<Authority, std::string> parse_authority(std::string_view target) {
  std::string_view host, digits;
  Authority authority;
  if (!split(target, host, digits)) {
    return tl::unexpected(std::string("it is not HOST:PORT"));
  }
  const auto port = config::parse_port(digits);
  if (!port || digits.starts_with('0')) {
    return tl::unexpected(std::string("its port is not within 1 and 65535"));
  }
  authority.port = *port;
  if (host.starts_with('[')) {
    authority.host = canonical_address(AF_INET6, host.substr(1, host.size() - 2));
    return authority.host.empty()
               ? tl::unexpected(std::string("what is in brackets is no IPv6 address"))
               : tl::expected<Authority, std::string>(authority);
  }
  authority.host = dns_name_of(host);
  if (authority.host.empty()) {
    authority.host = canonical_address(AF_INET, host);
  }
  if (authority.host.empty()) {
    return tl::unexpected(std::string("its host is neither a DNS name nor an IP address"));
  }
  return authority;
}

BedrockHosts::BedrockHosts(std::string region, std::vector<std::string> more)
    : region_(std::move(region)) {
  for (const std::string_view suffix :
       {aws::domain_suffix_of(region_), aws::dual_stack_suffix_of(region_)}) {
    for (const std::string_view service : kRuntimes) {
      names_.push_back(std::string(service).append(".").append(region_).append(".").append(suffix));
    }
  }
  std::move(more.begin(), more.end(), std::back_inserter(names_));
}

BedrockHosts::Kind BedrockHosts::judge(std::string_view host) const {
  if (is_named(host)) {
    return Kind::intercept;
  }
  const AwsName name = aws_name(host);
  const bool runtime = is_one_of(name.service, kRuntimes);
  if ((!runtime && !is_one_of(name.service, kMantles)) || !aws::is_region_name(name.region)) {
    return Kind::other;
  }
  if (!is_of(name, region_)) {
    return Kind::other_region;
  }
  if (!runtime)
    return Kind::mantle;
  // The Region's runtime by its name, whoever's VPC it is in.
  return name.vpc_endpoint && name.labels_before && name.domain == aws::domain_suffix_of(region_)
             ? Kind::intercept
             : Kind::other;
}

std::vector<std::string> BedrockHosts::permitted_names() const {
  std::vector<std::string> names = names_;
  for (const std::string_view service : kRuntimes) {
    names.push_back(std::string(service)
                        .append(".")
                        .append(region_)
                        .append(".")
                        .append(kVpcEndpoints)
                        .append(".")
                        .append(aws::domain_suffix_of(region_)));
  }
  return names;
}

}  // namespace invlog::proxy

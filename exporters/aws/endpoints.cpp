#include "exporters/aws/endpoints.h"

#include <algorithm>

namespace invlog::aws {
namespace {

struct Partition {
  std::string_view region_prefix;
  std::string_view name;
  std::string_view suffix;
  std::string_view dual_stack_suffix;
};

// The first whose prefix matches; the last matches every Region.
constexpr Partition kPartitions[] = {
    {"cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn"},
    {"eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu"},
    {"us-gov-", "aws-us-gov", "amazonaws.com", "api.aws"},
    {"us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov"},
    {"us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud"},
    {"eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"},
    {"us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov"},
    {"", "aws", "amazonaws.com", "api.aws"}};

const Partition& partition(std::string_view region) {
  return *std::find_if(
      std::begin(kPartitions), std::end(kPartitions),
      [region](const Partition& each) { return region.starts_with(each.region_prefix); });
}

bool all(std::string_view text, char first, char last) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [first, last](char byte) {
    return byte >= first && byte <= last;
  });
}

// "" if there is none.
std::string_view host_in(std::string_view url) {
  const std::size_t scheme_end = url.find("://");
  if (scheme_end == std::string_view::npos) {
    return {};
  }
  url.remove_prefix(scheme_end + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  return url.substr(0, url.find(':'));
}

}  // namespace

bool is_region_name(std::string_view text) {
  int words = 0;
  while (true) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
      return words >= 2 && text.size() <= 2 && all(text, '0', '9');
    }
    const std::string_view word = text.substr(0, dash);
    if (word.size() < 2 || word.size() > 16 || !all(word, 'a', 'z')) {
      return false;
    }
    ++words;
    text.remove_prefix(dash + 1);
  }
}

std::string_view partition_of(std::string_view region) {
  return partition(region).name;
}

std::string_view domain_suffix_of(std::string_view region) {
  return partition(region).suffix;
}

std::string_view dual_stack_suffix_of(std::string_view region) {
  return partition(region).dual_stack_suffix;
}

std::string_view aws_domain_of(std::string_view host) {
  const auto in = [host](std::string_view domain) {
    return host == domain || (host.size() > domain.size() && host.ends_with(domain) &&
                              host[host.size() - domain.size() - 1] == '.');
  };
  for (const Partition& each : kPartitions) {
    if (in(each.suffix) || in(each.dual_stack_suffix)) {
      return in(each.suffix) ? each.suffix : each.dual_stack_suffix;
    }
  }
  return {};
}

std::string_view region_in_label(std::string_view label) {
  for (const std::string_view prefix : {"s3-fips-", "s3-"}) {
    if (label.starts_with(prefix)) {
      label.remove_prefix(prefix.size());
      break;
    }
  }
  return is_region_name(label) ? label : std::string_view{};
}

std::string service_host(std::string_view service, std::string_view region) {
  return std::string(service).append(".").append(region).append(".").append(
      domain_suffix_of(region));
}

std::string_view region_in_host(std::string_view service, std::string_view host) {
  bool service_seen = false;
  while (!host.empty()) {
    const std::size_t dot = std::min(host.find('.'), host.size());
    const std::string_view label = host.substr(0, dot);
    if (service_seen) {
      return is_region_name(label) ? label : std::string_view{};
    }
    service_seen = label.starts_with(service) &&
                   (label.size() == service.size() || label.substr(service.size()) == "-fips");
    host.remove_prefix(std::min(dot + 1, host.size()));
  }
  return {};
}

bool is_own_endpoint(std::string_view service, std::string_view url, std::string_view region) {
  const std::string_view host = host_in(url);
  const std::string suffix = "." + std::string(domain_suffix_of(region));
  return url.starts_with("https://") && host.ends_with(suffix) &&
         region_in_host(service, host) == region;
}

}  // namespace invlog::aws

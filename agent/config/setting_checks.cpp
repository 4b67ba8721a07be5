#include "agent/config/setting_checks.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <memory>

#include "agent/config/config_file.h"
#include "agent/config/units.h"
#include "agent/residency/known_regions.h"
#include "exporters/aws/endpoints.h"
#include "exporters/endpoint_check.h"
#include "storage/lower_case.h"

namespace invlog::config {
namespace {

// Why OpenSSL takes no certificates from the file, "" if it does: so the agent loads it, and curl.
std::string certificates_problem(const std::string& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0 || ::access(path.c_str(), R_OK) != 0) {
    return std::strerror(errno);
  }
  if (!S_ISREG(about.st_mode)) {
    return "it is no file";
  }
  ERR_clear_error();
  const std::unique_ptr<X509_STORE, decltype(&::X509_STORE_free)> store(X509_STORE_new(),
                                                                        ::X509_STORE_free);
  const bool loaded = store && X509_STORE_load_file(store.get(), path.c_str()) == 1;
  ERR_clear_error();
  return loaded ? "" : "there is no certificate in it, or a damaged one";
}

}  // namespace

std::string in_quotes(std::string_view text) {
  return std::string("\"").append(text).append("\"");
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

std::string absolute_path(const std::string& path) {
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error ? path : whole.lexically_normal().string();
}

void set_truth(bool& member, const std::string& text) {
  member = text == "true";
}

SettingError set_size(std::uint64_t& member, const std::string& text, std::uint64_t least,
                      std::uint64_t most, std::string_view range) {
  const auto size = parse_size(text);
  if (!size) {
    return size.error();
  }
  if (*size < least || *size > most) {
    return in_quotes(text).append(" is not within ").append(range);
  }
  member = *size;
  return std::nullopt;
}

SettingError set_duration(std::chrono::milliseconds& member, const std::string& text) {
  const auto duration = parse_duration(text);
  if (!duration) {
    return duration.error();
  }
  if (*duration < std::chrono::milliseconds(1) || *duration > std::chrono::hours(24)) {
    return in_quotes(text) + " is not within 1ms and 24h";
  }
  member = *duration;
  return std::nullopt;
}

SettingError set_account(std::string& member, const std::string& text) {
  if (!text.empty() && (text.size() != 12 || !all_digits(text))) {
    return in_quotes(text) + " is no account id: 12 digits in quotes";
  }
  member = text;
  return std::nullopt;
}

SettingError set_certificates_file(std::string& member, const std::string& path) {
  if (const std::string problem = path.empty() ? "" : certificates_problem(path);
      !problem.empty()) {
    return "cannot read " + in_quotes(path) + ": " + problem +
           ": name a PEM file with the certificates to trust";
  }
  member = path;
  return std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view digits) {
  std::uint16_t port = 0;
  const char* const end = digits.data() + digits.size();
  const auto read = std::from_chars(digits.data(), end, port);
  if (read.ec != std::errc{} || read.ptr != end || port == 0)
    return std::nullopt;
  return port;
}

bool split_host_and_port(std::string_view text, std::string& host, std::uint16_t& port) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !all_digits(text.substr(colon + 1))) {
    return false;
  }
  const std::string_view digits = text.substr(colon + 1);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), port).ec != std::errc{}) {
    return false;
  }
  std::string_view name = text.substr(0, colon);
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  } else if (name.find(':') != std::string_view::npos) {
    return false;
  }
  host = name;
  return !host.empty();
}

std::string host_and_port(std::string_view host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string_view::npos;
  return (v6 ? "[" : "") + std::string(host) + (v6 ? "]:" : ":") + std::to_string(port);
}

std::string_view listen_address(std::string_view host) {
  return host == "localhost" ? "127.0.0.1" : host;
}

SettingError listen_host_problem(const std::string& host) {
  in6_addr either{};  // has room for both
  const std::string address(listen_address(host));
  const std::string without_zone = address.substr(0, address.find('%'));
  if (::inet_pton(AF_INET, address.c_str(), &either) == 1 ||
      ::inet_pton(AF_INET6, without_zone.c_str(), &either) == 1) {
    return std::nullopt;
  }
  return in_quotes(host) + " is no IP address: write one of this host's, or localhost";
}

bool is_loopback_host(std::string_view host) {
  const std::string text(host);
  in_addr v4{};
  if (::inet_pton(AF_INET, text.c_str(), &v4) == 1) {
    return (ntohl(v4.s_addr) >> 24) == IN_LOOPBACKNET;
  }
  in6_addr v6{};
  if (::inet_pton(AF_INET6, text.c_str(), &v6) == 1) {
    return IN6_IS_ADDR_LOOPBACK(&v6);
  }
  return host == "localhost";
}

std::string_view authority_of(std::string_view url) {
  url.remove_prefix(std::min(url.find("://") + 3, url.size()));
  return url.substr(0, std::min(url.find('/'), url.size()));
}

std::string_view host_of(std::string_view url) {
  const std::string_view authority = authority_of(url);
  if (authority.starts_with('[')) {
    return authority.substr(0, std::min(authority.find(']') + 1, authority.size()));
  }
  return authority.substr(0, std::min(authority.rfind(':'), authority.size()));
}

SettingError set_url(std::string& member, const std::string& url) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return in_quotes(url) + " does not begin with http:// or https://";
  }
  const std::string_view authority = authority_of(url);
  if (authority.find('@') != std::string_view::npos) {
    return std::string("it contains a user name or password, which has no place in it");
  }
  std::string host;
  std::uint16_t port = 0;
  const bool has_port = authority.find(':', authority.rfind(']') + 1) != std::string_view::npos;
  if (host_of(url).empty() || (has_port && !split_host_and_port(authority, host, port)) ||
      (has_port && port == 0)) {
    return in_quotes(url) + " has no valid host and port: write https://HOST or https://HOST:PORT";
  }
  const std::size_t authority_end = url.find("://") + 3 + authority.size();
  const std::string_view rest = std::string_view(url).substr(authority_end);
  if ((!rest.empty() && rest != "/") || url.find_first_of("?# \t") != std::string::npos) {
    return in_quotes(url) + " has more than a scheme, a host and a port";
  }
  member = url.substr(0, authority_end);
  return std::nullopt;
}

std::string doubt_of_region(const std::string& region) {
  const std::vector<std::string_view> known(std::begin(residency::kKnownRegions),
                                            std::end(residency::kKnownRegions));
  return std::find(known.begin(), known.end(), region) != known.end()
             ? ""
             : in_quotes(region) + " is no known Region" + suggestion(region, known);
}

std::optional<std::string> region_of_aws_host(std::string_view host) {
  std::string lower = storage::lower_case(host);
  while (lower.ends_with('.')) {
    lower.pop_back();
  }
  const std::string_view domain = aws::aws_domain_of(lower);
  if (domain.empty()) {
    return std::nullopt;
  }
  std::string region;
  for (std::string_view rest = lower; !rest.empty();) {
    const std::string_view label = rest.substr(0, std::min(rest.find('.'), rest.size()));
    rest.remove_prefix(std::min(label.size() + 1, rest.size()));
    const std::string_view named = aws::region_in_label(label);
    if (!named.empty() &&
        (domain == aws::domain_suffix_of(named) || domain == aws::dual_stack_suffix_of(named))) {
      region = named;
    }
  }
  return region;
}

SettingError endpoint_problem(std::string_view service, const std::string& endpoint,
                              const std::string& region, bool region_attested) {
  if (endpoint.empty()) {
    return std::nullopt;
  }
  using Kind = exporters::EndpointJudgement::Kind;
  const auto judgement = exporters::judge_endpoint(service, endpoint, region);
  const auto not_ours = [&](const std::string& what) {
    return in_quotes(endpoint) + " is an endpoint " + what + ", but region is " +
           in_quotes(region) + ": records stay in their Region";
  };
  switch (judgement.kind) {
    case Kind::malformed:
      return in_quotes(endpoint) + " is not written as http://host[:port] or https://host[:port]";
    case Kind::elsewhere:
      return not_ours("of " + judgement.region);
    case Kind::unbound:
      return not_ours(judgement.region.empty() ? "that names no Region"
                                               : "that may lead to another Region");
    case Kind::own:
      return std::nullopt;
    case Kind::custom:
      break;
  }
  if (!region_attested) {
    return "custom endpoints need region_attested = true: nobody can prove that " +
           std::string(host_of(endpoint)) + " is in " + region +
           ", so somebody who knows must say so";
  }
  return std::nullopt;
}

bool is_aws_endpoint(std::string_view service, const std::string& endpoint,
                     const std::string& region) {
  return exporters::judge_endpoint(service, endpoint, region).kind ==
         exporters::EndpointJudgement::Kind::own;
}

SettingError kms_arn_problem(std::string_view arn, const std::string& region) {
  // arn:partition:kms:region:account:key/id
  std::vector<std::string_view> fields;
  for (std::string_view rest = arn;
       fields.size() < 5 && rest.find(':') != std::string_view::npos;) {
    fields.push_back(rest.substr(0, rest.find(':')));
    rest.remove_prefix(rest.find(':') + 1);
  }
  if (fields.size() < 5 || fields[0] != "arn" || fields[2] != "kms" || fields[4].size() != 12 ||
      !all_digits(fields[4])) {
    return in_quotes(arn) + " is no ARN of a KMS key: write, for instance, \"arn:" +
           std::string(aws::partition_of(region)) + ":kms:" + region + ":123456789012:key/...\"";
  }
  if (fields[3] != region) {
    return in_quotes(arn) + " is a key of " + std::string(fields[3]) + ", but region is " +
           in_quotes(region) + ": the key must be in the same Region";
  }
  return std::nullopt;
}

}  // namespace invlog::config

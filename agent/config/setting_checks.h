// What the tables of settings check alike: choices, sizes, durations, URLs, files, account ids.
//
// Pure functions, but for set_certificates_file(), which reads the file, and absolute_path(), which
// asks where this process stands; any thread. Errors: the
// cause without the place, which the caller knows.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::config {

using SettingError = std::optional<std::string>;
using SettingValues = std::vector<std::string>;

// Not "quoted": an argument of namespace std would find std::quoted too.
std::string in_quotes(std::string_view text);
bool all_digits(std::string_view text);

template <typename Enumeration>
struct Choice {
  std::string_view name;
  Enumeration value;
};

template <typename Enumeration, std::size_t count>
SettingError choose(Enumeration& member, const std::string& text,
                    const Choice<Enumeration> (&choices)[count]) {
  std::string names;
  for (const auto& choice : choices) {
    if (text == choice.name) {
      member = choice.value;
      return std::nullopt;
    }
    names.append(names.empty() ? "" : ", ").append(in_quotes(choice.name));
  }
  return in_quotes(text) + " is none of " + names;
}

// Absolute, for whoever stands elsewhere; `path` itself if this process has no working directory.
std::string absolute_path(const std::string& path);

// "true" or "false", which is what the file's reader makes of a TOML boolean.
void set_truth(bool& member, const std::string& text);

// Bytes. `range` in words: "1KiB and 1GiB".
SettingError set_size(std::uint64_t& member, const std::string& text, std::uint64_t least,
                      std::uint64_t most, std::string_view range);

// Within 1 ms and 24 h.
SettingError set_duration(std::chrono::milliseconds& member, const std::string& text);

// 12 digits, or "".
SettingError set_account(std::string& member, const std::string& text);

// A PEM file with a certificate at least, all of it as OpenSSL takes it; or "".
SettingError set_certificates_file(std::string& member, const std::string& path);

// 1 to 65535 in digits alone.
std::optional<std::uint16_t> parse_port(std::string_view digits);

// "host:port" or "[v6]:port"; false if it is neither.
bool split_host_and_port(std::string_view text, std::string& host, std::uint16_t& port);

// The same the other way; an IPv6 address gets its brackets.
std::string host_and_port(std::string_view host, std::uint16_t port);

// What is listened on for `host`: the IP address that localhost is, too.
std::string_view listen_address(std::string_view host);

// Why nothing can listen on `host`: it is neither an IP address nor localhost.
SettingError listen_host_problem(const std::string& host);

// Whether what listens on `host` (an IP address, or localhost) is reached from this host only.
bool is_loopback_host(std::string_view host);

// http(s)://HOST[:PORT] without anything behind it but one slash, which is dropped.
SettingError set_url(std::string& member, const std::string& url);
// Of a URL that set_url() took: HOST[:PORT]; HOST, an IPv6 address in its brackets.
std::string_view authority_of(std::string_view url);
std::string_view host_of(std::string_view url);

// What there is to say of a Region that nobody knew when this was written, "" nothing: it may be
// new.
std::string doubt_of_region(const std::string& region);

// The Region that a host name of AWS's stands for; "" if it is AWS's and names none; no value if it
// is not AWS's.
std::optional<std::string> region_of_aws_host(std::string_view host);

// Why `region` is not served at `endpoint` (a URL, "" AWS's own), if so: another Region's host, or
// a host of which nobody vouches that it is in the Region. `service`: as in judge_endpoint().
SettingError endpoint_problem(std::string_view service, const std::string& endpoint,
                              const std::string& region, bool region_attested);

// Whether the host of `endpoint` is AWS's own for the Region (a VPC or FIPS endpoint): its name
// vouches for itself.
bool is_aws_endpoint(std::string_view service, const std::string& endpoint,
                     const std::string& region);

// Why `arn` is not the ARN of a KMS key in `region`, if so.
SettingError kms_arn_problem(std::string_view arn, const std::string& region);

}  // namespace invlog::config

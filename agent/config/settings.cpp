#include "agent/config/settings.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "agent/config/units.h"
#include "exporters/aws/endpoints.h"

namespace invlog::config {
namespace {

using Error = std::optional<std::string>;
using Values = std::vector<std::string>;

// Not "quoted": an argument of namespace std would find std::quoted too.
std::string in_quotes(std::string_view text) {
  return std::string("\"").append(text).append("\"");
}

template <typename Enumeration>
struct Choice {
  std::string_view name;
  Enumeration value;
};

template <typename Enumeration, std::size_t count>
Error choose(Enumeration& member, const std::string& text,
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

Error set_size(std::uint64_t& member, const std::string& text, std::uint64_t least,
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

Error set_duration(std::chrono::milliseconds& member, const std::string& text) {
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

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// "host:port" or "[v6]:port"; false if it is neither.
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

Error add_tcp_listener(AgentConfig& configuration, const std::string& address) {
  if (!split_host_and_port(address, configuration.listen_host, configuration.listen_port)) {
    return in_quotes(address) +
           " is no address to listen on: write \"127.0.0.1:4180\", \"[::1]:4180\" or "
           "\"unix:/run/invlog/invlog.sock\"";
  }
  if (!is_loopback(configuration.listen_host)) {
    return in_quotes(address) +
           " is not a loopback address: whoever reaches the agent calls Bedrock with its "
           "credentials, so it listens on 127.0.0.1, [::1] or a Unix socket only";
  }
  return std::nullopt;
}

Error add_socket_listener(AgentConfig& configuration, const std::string& path) {
  constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un
  if (path.empty() || path.front() != '/') {
    return in_quotes("unix:" + path) + " needs an absolute path: \"unix:/run/invlog/invlog.sock\"";
  }
  if (path.size() > kLongestSocketPath) {
    return in_quotes("unix:" + path) + " is too long for a Unix socket: 107 bytes at most";
  }
  configuration.listen_socket = path;
  return std::nullopt;
}

Error set_listen(AgentConfig& configuration, const Values& addresses) {
  constexpr std::string_view kUnixPrefix = "unix:";
  configuration.listen_host.clear();
  configuration.listen_socket.clear();
  if (addresses.empty()) {
    return "there is no address in it";
  }
  for (const std::string& address : addresses) {
    const bool socket = address.starts_with(kUnixPrefix);
    if (!(socket ? configuration.listen_socket : configuration.listen_host).empty()) {
      return in_quotes(address) + " is one too many: one HOST:PORT and one unix:PATH at most";
    }
    const Error error = socket
                            ? add_socket_listener(configuration, address.substr(kUnixPrefix.size()))
                            : add_tcp_listener(configuration, address);
    if (error) {
      return error;
    }
  }
  return std::nullopt;
}

// What lies between "scheme://" and the end or the path.
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

Error set_upstream(AgentConfig& configuration, const Values& values) {
  const std::string& url = values.front();
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return in_quotes(url) + " does not begin with http:// or https://";
  }
  const std::string_view authority = authority_of(url);
  if (authority.find('@') != std::string_view::npos) {
    return std::string("it contains a user name or password, which Bedrock does not take");
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
  configuration.upstream = url.substr(0, authority_end);
  return std::nullopt;
}

Error set_region(AgentConfig& configuration, const Values& values) {
  if (!aws::is_region_name(values.front())) {
    return in_quotes(values.front()) + " is no Region: write, for instance, \"eu-central-1\"";
  }
  configuration.region = values.front();
  return std::nullopt;
}

Error set_state_dir(AgentConfig& configuration, const Values& values) {
  std::string directory = values.front();
  while (directory.size() > 1 && directory.back() == '/') {
    directory.pop_back();
  }
  if (directory.empty()) {
    return "it is empty: name a directory that the agent may write to";
  }
  configuration.state_dir = directory;
  return std::nullopt;
}

Error set_ca_bundle(AgentConfig& configuration, const Values& values) {
  const std::string& path = values.front();
  if (!path.empty() && ::access(path.c_str(), R_OK) != 0) {
    return "cannot read " + in_quotes(path) + ": name a PEM file with the certificates to trust";
  }
  configuration.ca_bundle = path;
  return std::nullopt;
}

Error set_account_id(AgentConfig& configuration, const Values& values) {
  const std::string& account = values.front();
  if (!account.empty() && (account.size() != 12 || !all_digits(account))) {
    return in_quotes(account) + " is no account id: 12 digits in quotes";
  }
  configuration.account_id = account;
  return std::nullopt;
}

Error set_identity_arn(AgentConfig& configuration, const Values& values) {
  const std::string& arn = values.front();
  if (!arn.empty() && (!arn.starts_with("arn:") || std::count(arn.begin(), arn.end(), ':') < 5)) {
    return in_quotes(arn) +
           " is no ARN: write, for instance, \"arn:aws:sts::123456789012:assumed-role/app/host\"";
  }
  configuration.identity_arn = arn;
  return std::nullopt;
}

Error set_durability(AgentConfig& configuration, const Values& values) {
  return choose<Durability>(configuration.durability, values.front(),
                            {{"group", Durability::group}, {"strict", Durability::strict}});
}

Error set_on_overload(AgentConfig& configuration, const Values& values) {
  return choose<OnOverload>(configuration.on_overload, values.front(),
                            {{"block", OnOverload::block}, {"pass", OnOverload::pass}});
}

Error set_on_storage_failure(AgentConfig& configuration, const Values& values) {
  return choose<OnStorageFailure>(
      configuration.on_storage_failure, values.front(),
      {{"pass", OnStorageFailure::pass}, {"deny", OnStorageFailure::deny}});
}

Error set_log_level(AgentConfig& configuration, const Values& values) {
  return choose<std::string>(configuration.log_level, values.front(),
                             {{"trace", "trace"},
                              {"debug", "debug"},
                              {"info", "info"},
                              {"warning", "warning"},
                              {"error", "error"}});
}

Error set_max_request_size(AgentConfig& configuration, const Values& values) {
  return set_size(configuration.max_request_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

Error set_max_recorded_response_size(AgentConfig& configuration, const Values& values) {
  return set_size(configuration.max_recorded_response_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

Error set_queue_size(AgentConfig& configuration, const Values& values) {
  return set_size(configuration.queue_bytes, values.front(), 1 << 16, 1ull << 34,
                  "64KiB and 16GiB");
}

Error set_connect_timeout(AgentConfig& configuration, const Values& values) {
  return set_duration(configuration.connect_timeout, values.front());
}

Error set_idle_timeout(AgentConfig& configuration, const Values& values) {
  return set_duration(configuration.idle_timeout, values.front());
}

}  // namespace

const std::vector<Setting>& settings() {
  static const std::vector<Setting> table = {
      {"region", false, false, set_region},
      {"state_dir", false, false, set_state_dir},
      {"listen", true, false, set_listen},
      {"upstream", false, false, set_upstream},
      {"ca_bundle", false, false, set_ca_bundle},
      {"account_id", false, false, set_account_id},
      {"identity_arn", false, false, set_identity_arn},
      {"durability", false, false, set_durability},
      {"on_overload", false, false, set_on_overload},
      {"on_storage_failure", false, false, set_on_storage_failure},
      {"max_request_size", false, true, set_max_request_size},
      {"max_recorded_response_size", false, true, set_max_recorded_response_size},
      {"queue_size", false, true, set_queue_size},
      {"connect_timeout", false, false, set_connect_timeout},
      {"idle_timeout", false, false, set_idle_timeout},
      {"log_level", false, false, set_log_level},
  };
  return table;
}

const Setting* find_setting(std::string_view key) {
  const auto found = std::find_if(settings().begin(), settings().end(),
                                  [key](const Setting& setting) { return setting.key == key; });
  return found == settings().end() ? nullptr : &*found;
}

std::vector<std::string_view> setting_keys() {
  std::vector<std::string_view> keys;
  for (const Setting& setting : settings()) {
    keys.push_back(setting.key);
  }
  return keys;
}

std::optional<Mismatch> finish(AgentConfig& configuration) {
  if (configuration.upstream.empty()) {
    configuration.upstream =
        "https://" + aws::service_host("bedrock-runtime", configuration.region);
  }
  const std::string_view upstream_region =
      aws::region_in_host("bedrock-runtime", host_of(configuration.upstream));
  if (!upstream_region.empty() && upstream_region != configuration.region) {
    return Mismatch{"upstream", in_quotes(configuration.upstream) + " is an endpoint of " +
                                    std::string(upstream_region) + ", but region is " +
                                    in_quotes(configuration.region) +
                                    ": one agent serves one source Region"};
  }
  // arn:partition:service:region:account:resource
  std::string_view arn = configuration.identity_arn;
  for (int field = 0; field < 4 && !arn.empty(); ++field) {
    arn.remove_prefix(arn.find(':') + 1);
  }
  const std::string_view arn_account = arn.substr(0, std::min(arn.find(':'), arn.size()));
  if (!arn_account.empty() && !configuration.account_id.empty() &&
      arn_account != configuration.account_id) {
    return Mismatch{"identity_arn", in_quotes(configuration.identity_arn) + " is not in account " +
                                        in_quotes(configuration.account_id)};
  }
  return std::nullopt;
}

}  // namespace invlog::config

#include "agent/config/access_settings.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "agent/config/system_entries.h"

namespace invlog::config {
namespace {

constexpr std::uint32_t kNobodyAtAll = 0xffffffff;  // (uid_t)-1: chown(2)'s "leave it"
constexpr std::uint64_t kMostConnections = 1'000'000;

std::optional<std::uint32_t> parse_id(const std::string& text) {
  std::uint32_t id = 0;
  const char* const end = text.data() + text.size();
  const auto [after, failure] = std::from_chars(text.data(), end, id);
  return failure == std::errc() && after == end && id != kNobodyAtAll ? std::optional(id)
                                                                      : std::nullopt;
}

SettingError lookup_problem(const std::string& name, const char* what, int failure) {
  if (failure != 0) {
    return "cannot look up the " + std::string(what) + " " + in_quotes(name) + ": " +
           std::strerror(failure);
  }
  return "there is no " + std::string(what) + " " + in_quotes(name) +
         " on this host: write a name that `getent " +
         (std::string_view(what) == "user" ? "passwd" : "group") + "` knows, or a number";
}

template <class Entry>
SettingError take_id(const Found<Entry>& found, const std::string& name, const char* what,
                     std::uint32_t& id) {
  if (!found || !*found) {
    return lookup_problem(name, what, found ? 0 : found.error());
  }
  id = (*found)->id;
  return std::nullopt;
}

SettingError find_user(const std::string& name, std::uint32_t& id) {
  return take_id(find_system_user(name), name, "user", id);
}

SettingError find_group(const std::string& name, std::uint32_t& id) {
  return take_id(find_system_group(name), name, "group", id);
}

SettingError set_ids(std::vector<std::uint32_t>& ids, const SettingValues& names, const char* what,
                     SettingError (*find)(const std::string&, std::uint32_t&)) {
  ids.clear();
  for (const std::string& name : names) {
    std::uint32_t id = 0;
    if (name.empty()) {
      return "\"\" names no " + std::string(what);
    }
    if (all_digits(name)) {
      const auto number = parse_id(name);
      if (!number) {
        return in_quotes(name) + " is no " + what + " id: 0 to 4294967294";
      }
      id = *number;
    } else if (SettingError error = find(name, id)) {
      return error;
    }
    ids.push_back(id);
  }
  return std::nullopt;
}

bool is_host_pattern(std::string_view host) {
  if (host == "*") {
    return true;
  }
  if (host.starts_with("*.")) {
    host.remove_prefix(2);
  }
  return !host.empty() && host.front() != '.' && host.back() != '.' &&
         host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_.") ==
             std::string_view::npos;
}

}  // namespace

SettingError set_allow_remote(AgentConfig& configuration, const SettingValues& values) {
  if (values.front() != "true" && values.front() != "false") {
    return in_quotes(values.front()) + " is neither true nor false";  // of a flag
  }
  set_truth(configuration.access.allow_remote, values.front());
  return std::nullopt;
}

SettingError set_allow_users(AgentConfig& configuration, const SettingValues& values) {
  return set_ids(configuration.access.user_ids, values, "user", find_user);
}

SettingError set_allow_groups(AgentConfig& configuration, const SettingValues& values) {
  return set_ids(configuration.access.group_ids, values, "group", find_group);
}

SettingError set_allowed_hosts(AgentConfig& configuration, const SettingValues& values) {
  configuration.access.hosts.clear();
  for (std::string host : values) {
    std::transform(host.begin(), host.end(), host.begin(), [](char character) {
      return character >= 'A' && character <= 'Z' ? static_cast<char>(character + 32) : character;
    });
    if (!is_host_pattern(host)) {
      return in_quotes(host) +
             " is no host name: write, for instance, \"invlog.example.com\" or "
             "\"*.example.com\", without a port";
    }
    configuration.access.hosts.push_back(std::move(host));
  }
  return std::nullopt;
}

SettingError set_header_timeout(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(configuration.clients.header_timeout, values.front());
}

SettingError set_keep_alive_timeout(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(configuration.clients.keep_alive_timeout, values.front());
}

SettingError set_max_connections(AgentConfig& configuration, const SettingValues& values) {
  const std::string& text = values.front();
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [after, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc() || after != end || number < 1 || number > kMostConnections) {
    return text + " is not within 1 and 1000000 connections";
  }
  configuration.clients.max_connections = number;
  return std::nullopt;
}

std::optional<Mismatch> listen_problem(const AgentConfig& configuration) {
  const std::string& host = configuration.listen_host;
  if (host.empty() || is_loopback_host(host) || configuration.access.allow_remote) {
    return std::nullopt;
  }
  return Mismatch{"listen",
                  in_quotes(host_and_port(host, configuration.listen_port)) +
                      " is not a loopback address: whoever reaches the agent calls "
                      "Bedrock with its credentials, so it listens on 127.0.0.1, [::1] "
                      "or a Unix socket only, unless allow_remote = true",
                  "allow_remote"};
}

}  // namespace invlog::config

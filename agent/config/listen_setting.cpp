#include "agent/config/listen_setting.h"

namespace invlog::config {
namespace {

constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::size_t kLongestSocketPath = 107;  // sockaddr_un

std::string example_socket(const ListenExample& example) {
  return in_quotes(std::string(kUnixPrefix).append(example.socket));
}

SettingError set_tcp(const ListenMembers& members, const std::string& address,
                     const ListenExample& example) {
  if (!split_host_and_port(address, members.host, members.port)) {
    const std::string port(example.port);
    return in_quotes(address) + " is no address to listen on: write " +
           in_quotes("127.0.0.1:" + port) + ", " + in_quotes("[::1]:" + port) + " or " +
           example_socket(example);
  }
  return listen_host_problem(members.host);
}

SettingError set_socket(const ListenMembers& members, const std::string& address,
                        const ListenExample& example) {
  const std::string path = address.substr(kUnixPrefix.size());
  if (path.empty() || path.front() != '/') {
    return in_quotes(address) + " needs an absolute path: " + example_socket(example);
  }
  if (path.size() > kLongestSocketPath) {
    return in_quotes(address) + " is too long for a Unix socket: 107 bytes at most";
  }
  members.socket = path;
  return std::nullopt;
}

}  // namespace

SettingError set_listen_addresses(const ListenMembers& members, const SettingValues& addresses,
                                  const ListenExample& example) {
  members.host.clear();
  members.socket.clear();
  for (const std::string& address : addresses) {
    const bool socket = address.starts_with(kUnixPrefix);
    if (!(socket ? members.socket : members.host).empty()) {
      return in_quotes(address) + " is one too many: one HOST:PORT and one unix:PATH at most";
    }
    if (SettingError error =
            socket ? set_socket(members, address, example) : set_tcp(members, address, example)) {
      return error;
    }
  }
  return std::nullopt;
}

}  // namespace invlog::config

#include "agent/service/inherited_sockets.h"

#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <stdexcept>

namespace invlog::service {
namespace {

bool is_named(std::string_view name, std::string_view wanted) {
  const bool unnamed = name.empty() || name == "unknown" || name.ends_with(".socket");
  return name == wanted || (unnamed && wanted == kCaptureSockets);
}

}  // namespace

InheritedSockets InheritedSockets::from_environment() {
  char** names = nullptr;
  const int count = ::sd_listen_fds_with_names(1, &names);
  if (count < 0) {
    throw std::runtime_error(std::string("the sockets that the service manager passes: ") +
                             std::strerror(-count));
  }
  std::vector<std::pair<std::string, int>> sockets;
  for (int index = 0; index < count; ++index) {
    sockets.emplace_back(names != nullptr ? names[index] : "", SD_LISTEN_FDS_START + index);
    if (names != nullptr)
      std::free(names[index]);
  }
  std::free(names);
  return InheritedSockets(std::move(sockets));
}

InheritedSockets::~InheritedSockets() {
  for (const auto& [name, descriptor] : sockets_)
    ::close(descriptor);
}

std::vector<int> InheritedSockets::take(std::string_view name) {
  std::vector<int> taken;
  std::erase_if(sockets_, [&](const auto& socket) {
    if (!is_named(socket.first, name))
      return false;
    taken.push_back(socket.second);
    return true;
  });
  return taken;
}

std::vector<std::string> InheritedSockets::left() const {
  std::vector<std::string> names;
  for (const auto& [name, descriptor] : sockets_)
    names.push_back(name);
  return names;
}

}  // namespace invlog::service

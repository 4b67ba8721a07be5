#include "agent/proxy/intercepted_hosts.h"

#include <algorithm>

namespace invlog::proxy {

std::size_t InterceptedHosts::unnamed() const {
  return static_cast<std::size_t>(std::count_if(
      hosts_.begin(), hosts_.end(), [](const auto& entry) { return !entry.second.named; }));
}

InterceptedHosts::Hosts::const_iterator InterceptedHosts::longest_unused() const {
  auto longest = hosts_.end();
  for (auto place = hosts_.begin(); place != hosts_.end(); ++place) {
    const Known& known = place->second;
    if (!known.named && known.interception.use_count() == 1 &&
        (longest == hosts_.end() || known.used < longest->second.used)) {
      longest = place;
    }
  }
  return longest;
}

bool InterceptedHosts::has_room_for(const std::string& host) const {
  return hosts_.contains(host) || unnamed() < most_ || longest_unused() != hosts_.end();
}

InterceptedHosts::Interception InterceptedHosts::take(const std::string& host, std::uint16_t port,
                                                      bool named) {
  if (!hosts_.contains(host) && !named && unnamed() >= most_) {
    const auto leaves = longest_unused();
    if (leaves == hosts_.end())
      return nullptr;
    close(leaves->second);
    forget_(leaves->first);
    hosts_.erase(leaves);
  }
  const auto [place, added] = hosts_.try_emplace(host);
  Known& known = place->second;
  if (added)
    known = {make_(host, port), named, 0};
  if (!known.interception) {
    hosts_.erase(place);
    return nullptr;
  }
  known.used = ++takes_;
  return known.interception;
}

void InterceptedHosts::close(const Known& known) {
  known.interception->http1.close();
  known.interception->http2.close();
}

void InterceptedHosts::drop_idle() {
  for (const auto& [host, known] : hosts_) {
    known.interception->http1.drop_idle();
    known.interception->http2.drop_idle();
  }
}

void InterceptedHosts::close() {
  for (const auto& [host, known] : hosts_)
    close(known);
}

std::size_t InterceptedHosts::idle_connections() const {
  std::size_t idle = 0;
  for (const auto& [host, known] : hosts_)
    idle += known.interception->http1.idle() + known.interception->http2.idle();
  return idle;
}

}  // namespace invlog::proxy

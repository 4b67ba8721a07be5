#include "agent/proxy/tunnel_addresses.h"

#include <ifaddrs.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <memory>

#include "agent/capture/original_destination.h"

namespace invlog::proxy {
namespace {

namespace ip = boost::asio::ip;

// AWS's services for an instance: 169.254.169.254 and others are link-local, fd00:ec2::254 and
// others stand in for them in IPv6.
bool is_link_local(const ip::address& address) {
  if (address.is_v4())
    return (address.to_v4().to_uint() >> 16) == 0xa9fe;
  const ip::address_v6::bytes_type bytes = address.to_v6().to_bytes();
  constexpr unsigned char kInstanceServices[] = {0xfd, 0x00, 0x0e, 0xc2};
  return address.to_v6().is_link_local() ||
         std::equal(std::begin(kInstanceServices), std::end(kInstanceServices), bytes.begin());
}

bool is_address_of_this_host(const ip::address& address) {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0)
    return true;  // better a tunnel too few
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> all(first, &::freeifaddrs);
  for (const ifaddrs* each = all.get(); each != nullptr; each = each->ifa_next) {
    if (each->ifa_addr == nullptr)
      continue;
    sockaddr_storage storage{};
    const int family = each->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6)
      continue;
    std::memcpy(&storage, each->ifa_addr,
                family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    const auto endpoint = capture::tcp_endpoint_of(storage);
    if (endpoint && endpoint->address() == address)
      return true;
  }
  return false;
}

}  // namespace

std::optional<TunnelAddresses::Refusal> TunnelAddresses::refusal(const Endpoint& to,
                                                                 bool local_caller) const {
  const ip::address address = capture::plain_address(to.address());
  const std::string leads = "leads to " + address.to_string() + ", ";
  if (is_link_local(address)) {
    return Refusal{"link-local", leads +
                                     "a link-local address (an instance's credentials are at "
                                     "such a one), to which no tunnel leads"};
  }
  if (address.is_unspecified())
    return Refusal{"unspecified-address", leads + "which is no host's address"};
  const std::vector<std::uint16_t> ports = own_ports_();
  if (std::find(ports.begin(), ports.end(), to.port()) != ports.end() &&
      (address.is_loopback() || is_address_of_this_host(address))) {
    return Refusal{"own-address", leads +
                                      "which is this agent itself: a tunnel to it would hide "
                                      "who calls; call it without a proxy (NO_PROXY)"};
  }
  if (address.is_loopback() && !local_caller) {
    return Refusal{"loopback", leads +
                                   "this host's loopback, to which no tunnel leads that "
                                   "another host asks for"};
  }
  return std::nullopt;
}

}  // namespace invlog::proxy

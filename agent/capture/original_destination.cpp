#include "agent/capture/original_destination.h"

#include <netinet/in.h>

#include <cstring>

namespace invlog::capture {
namespace {

namespace ip = boost::asio::ip;

// SO_ORIGINAL_DST (linux/netfilter_ipv4.h) and IP6T_SO_ORIGINAL_DST
// (linux/netfilter_ipv6/ip6_tables.h), which do not go together with netinet/in.h everywhere.
constexpr int kOriginalDestination = 80;

}  // namespace

ip::address plain_address(const ip::address& address) {
  return address.is_v6() && address.to_v6().is_v4_mapped()
             ? ip::address(ip::make_address_v4(ip::v4_mapped, address.to_v6()))
             : address;
}

std::optional<ip::tcp::endpoint> tcp_endpoint_of(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6)
    return std::nullopt;
  ip::tcp::endpoint endpoint;
  endpoint.resize(address.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  std::memcpy(endpoint.data(), &address, endpoint.size());
  endpoint.address(plain_address(endpoint.address()));
  return endpoint;
}

std::optional<sockaddr_storage> original_destination(int descriptor) {
  sockaddr_storage own{}, original{};
  socklen_t length = sizeof own;
  if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &length) != 0)
    return std::nullopt;
  const auto here = tcp_endpoint_of(own);
  length = sizeof original;
  if (!here || ::getsockopt(descriptor, own.ss_family == AF_INET ? SOL_IP : SOL_IPV6,
                            kOriginalDestination, &original, &length) != 0) {
    return std::nullopt;
  }
  const auto there = tcp_endpoint_of(original);
  return there && *there != *here ? std::optional(original) : std::nullopt;
}

}  // namespace invlog::capture

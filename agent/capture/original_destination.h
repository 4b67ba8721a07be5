// Addresses as the kernel hands them out, and where a connection was going before the host's own
// packet filter led it here (nftables `redirect`, `dnat`).
//
// Thread: any one; takes a microsecond. Errors: what cannot be told is left out.
#pragma once

#include <sys/socket.h>

#include <boost/asio/ip/tcp.hpp>
#include <optional>

namespace invlog::capture {

// An IPv4 address inside an IPv6 one becomes the IPv4 address, so that an address has one form.
boost::asio::ip::address plain_address(const boost::asio::ip::address& address);

// Nothing: it is neither IPv4 nor IPv6.
std::optional<boost::asio::ip::tcp::endpoint> tcp_endpoint_of(const sockaddr_storage& address);

// `descriptor`: an accepted TCP connection, IPv4 or IPv6. Nothing: it came straight, or nobody
// knows.
std::optional<sockaddr_storage> original_destination(int descriptor);

}  // namespace invlog::capture

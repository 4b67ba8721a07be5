#include "agent/config/own_address.h"

#include <arpa/inet.h>

#include <boost/asio/ip/address.hpp>
#include <optional>

#include "agent/config/setting_checks.h"
#include "storage/lower_case.h"

namespace invlog::config {
namespace {

// The address that `host` is: also in a form (127.1) that only name look-ups take for one. Where
// one is asked for that is none, the system connects to this host.
std::optional<boost::asio::ip::address> address_of(const std::string& host) {
  boost::system::error_code no_address;
  boost::asio::ip::address address = boost::asio::ip::make_address(host, no_address);
  if (no_address) {
    in_addr numbers{};
    if (::inet_aton(host.c_str(), &numbers) == 0)
      return std::nullopt;
    address = boost::asio::ip::address_v4(ntohl(numbers.s_addr));
  }
  if (!address.is_unspecified())
    return address;
  return address.is_v4() ? boost::asio::ip::address(boost::asio::ip::address_v4::loopback())
                         : boost::asio::ip::address(boost::asio::ip::address_v6::loopback());
}

// Of all addresses of IPv6, Linux takes those of IPv4 for the same.
bool covers(const boost::asio::ip::address& all, const boost::asio::ip::address& one) {
  return all.is_unspecified() && (all.is_v6() || one.is_v4());
}

}  // namespace

bool is_this_host(const std::string& host) {
  const std::string name = storage::lower_case(host);
  return is_loopback_host(name) || name == "localhost" || name.ends_with(".localhost");
}

bool leads_to(const std::string& address, const std::string& host, std::uint16_t port) {
  std::string own;
  std::uint16_t own_port = 0;
  if (!split_host_and_port(address, own, own_port) || port != own_port)
    return false;
  const auto there = address_of(host);
  if (own == "0.0.0.0" || own == "::")
    return there ? there->is_loopback() : is_this_host(host);
  const auto here = address_of(own);
  if (there || !is_this_host(host))
    return own == host || (here && here == there);
  // localhost
  return here && (*here == boost::asio::ip::address_v4::loopback() ||
                  *here == boost::asio::ip::address_v6::loopback());
}

bool collide(const ListenPlace& one, const ListenPlace& other) {
  if (one.port == 0 || one.port != other.port)
    return false;
  boost::system::error_code no_address, nor_the_other;
  const auto here =
      boost::asio::ip::make_address(std::string(listen_address(one.host)), no_address);
  const auto there =
      boost::asio::ip::make_address(std::string(listen_address(other.host)), nor_the_other);
  return !no_address && !nor_the_other &&
         (here == there || covers(here, there) || covers(there, here));
}

}  // namespace invlog::config

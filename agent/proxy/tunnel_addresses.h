// Which addresses no tunnel leads to: the agent itself (its ports at any address of this host), for
// then the caller of what passes would be the agent's own user; link-local ones, where an
// instance's credentials are (169.254.169.254 and its like), and unspecified ones; and loopback,
// unless the caller is on this host and reaches it anyway.
//
// Asked of addresses, not of names: after the name was resolved, so that what is asked for is what
// is connected to.
//
// Thread: the I/O thread. Ownership: `own_ports` is called from refusal(). Errors: none.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace invlog::proxy {

class TunnelAddresses {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;
  using OwnPorts = std::function<std::vector<std::uint16_t>()>;
  struct Refusal {
    std::string
        why;  // a short constant: "own-address", "link-local", "unspecified-address", "loopback"
    std::string message;  // continues "NAME "
  };

  explicit TunnelAddresses(OwnPorts own_ports) : own_ports_(std::move(own_ports)) {}

  // Nothing: a tunnel may lead to `to`. `local_caller`: whether the caller is proven to be on this
  // host.
  std::optional<Refusal> refusal(const Endpoint& to, bool local_caller) const;

 private:
  OwnPorts own_ports_;
};

}  // namespace invlog::proxy

// The addresses that the agent's own connections come from, so that it notices when one of them
// leads back to it: a name that is resolved to the proxy for everybody is resolved so for the
// agent, too.
//
// Thread: the I/O thread. Errors: none.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <set>

namespace invlog::capture {

class OwnSockets {
 public:
  using Endpoint = boost::asio::ip::tcp::endpoint;

  void add(const Endpoint& local) { endpoints_.insert(local); }
  void remove(const Endpoint& local) {
    if (const auto found = endpoints_.find(local); found != endpoints_.end())
      endpoints_.erase(found);
  }
  // `peer`: whom an accepted connection comes from.
  bool contain(const Endpoint& peer) const { return endpoints_.find(peer) != endpoints_.end(); }

 private:
  std::multiset<Endpoint> endpoints_;
};

}  // namespace invlog::capture

// Looks host names up on threads of its own, so that a name for which nobody answers holds up
// neither the others nor the agent's end: Asio has one thread for all of a loop's lookups, and
// joins it.
//
// getaddrinfo() cannot be interrupted. A thread that is in it when nobody waits any more is left to
// itself, and what it finds is dropped.
// Thread: the I/O thread, but for the resolving itself. Ownership: must not outlive the loop that
// the executor belongs to, unless close() was called. Errors: in Found, in words.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/capture/asio_types.h"

namespace invlog::capture {

class NameLookup {
 public:
  struct Found {
    std::string problem;  // "" there is at least one address
    std::vector<asio::ip::tcp::endpoint> addresses;
  };
  // Blocks; called on any of the threads.
  using Resolve = std::function<Found(const std::string& host, std::uint16_t port)>;
  using Done = std::function<void(Found)>;

  // Lookups beyond `most_at_once` wait for their turn.
  NameLookup(Executor executor, std::size_t most_at_once, Resolve resolve = by_system);
  ~NameLookup();
  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;

  // Calls `done` from the loop, once, unless it is cancelled before. The number is cancel()'s.
  std::uint64_t start(const std::string& host, std::uint16_t port, Done done);
  void cancel(std::uint64_t number);
  // Cancels all of them, and touches the executor never again.
  void close();

  static Found by_system(const std::string& host, std::uint16_t port);

 private:
  struct Shared;
  using Waiting = std::map<std::uint64_t, Done>;
  static void work(const std::shared_ptr<Shared>& shared);

  const std::shared_ptr<Waiting> waiting_;  // the I/O thread's alone
  const std::shared_ptr<Shared> shared_;    // with the threads
  std::uint64_t started_ = 0;
};

}  // namespace invlog::capture

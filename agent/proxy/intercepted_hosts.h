// The hosts that are intercepted, each with its kept connections and, elsewhere, its leaf. Names of
// VPC endpoints are anybody's to make up: only so many are kept, and for a new one the name goes
// that was not used for longest and has no connection open.
//
// Thread: the I/O thread. Ownership: owns them together with the connections to clients, by whose
// share it knows that one is open. Errors: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agent/capture/interception.h"

namespace invlog::proxy {

class InterceptedHosts {
 public:
  using Interception = std::shared_ptr<capture::Interception>;
  // Null: there is no way to it.
  using Make = std::function<Interception(const std::string& host, std::uint16_t port)>;
  // Called with a name that has gone.
  using Forget = std::function<void(const std::string& host)>;

  // `most`: so many besides those that were named by configuration or are AWS's own.
  InterceptedHosts(std::size_t most, Make make, Forget forget)
      : most_(most), make_(std::move(make)), forget_(std::move(forget)) {}

  bool has_room_for(const std::string& host) const;
  // Null: there is no room, or no way to it. `named`: it stays for good.
  Interception take(const std::string& host, std::uint16_t port, bool named);

  void drop_idle();
  void close();
  std::size_t idle_connections() const;

 private:
  struct Known {
    Interception interception;
    bool named = false;
    std::uint64_t used = 0;  // the number of the take()
  };
  using Hosts = std::map<std::string, Known>;

  std::size_t unnamed() const;
  Hosts::const_iterator longest_unused() const;  // end(): none may go
  static void close(const Known& known);

  std::size_t most_;
  Make make_;
  Forget forget_;
  Hosts hosts_;
  std::uint64_t takes_ = 0;
};

}  // namespace invlog::proxy

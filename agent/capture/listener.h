// Accepts connections on TCP and on a Unix socket and serves each until the stop.
//
// A socket that was inherited from the service manager listens already, and goes on when the agent
// stops; so does its file.
//
// Thread: the I/O thread. Ownership: services and the entrance must outlive it; the Unix socket's
// file is removed when it stops. Errors: the constructors throw std::runtime_error with one clear
// line (address in use, no permission); running out of file descriptors closes the connection that
// is idle for longest, or else pauses accepting for a tick.
#pragma once

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "agent/capture/capture_session.h"

namespace invlog::capture {

class Listener {
 public:
  virtual ~Listener() = default;
  virtual void stop() = 0;
  // "127.0.0.1:4180", "[::1]:4180" or "unix:/path".
  virtual std::string address() const = 0;
  // Whether only this host reaches it.
  virtual bool is_local() const = 0;
};

// Listens on a socket that was inherited, which it owns from now on. Throws std::runtime_error for
// what is no listening stream socket, TCP on a loopback address or Unix.
std::unique_ptr<Listener> adopt_listener(Executor executor, int descriptor,
                                         SessionServices& services, const Entrance& entrance,
                                         bool allow_remote = false);

class TcpListener : public Listener {
 public:
  // `port` 0: the kernel picks.
  TcpListener(Executor executor, const std::string& host, std::uint16_t port,
              SessionServices& services, const Entrance& entrance);
  // Of an inherited socket.
  TcpListener(Executor executor, int descriptor, SessionServices& services,
              const Entrance& entrance);
  ~TcpListener() override;
  std::string address() const override;
  std::uint16_t port() const;
  bool is_local() const override;
  void stop() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class UnixListener : public Listener {
 public:
  // Who may connect, whatever the umask: the agent's own user and group, or everybody.
  enum class Access : unsigned { own_group = 0660, everybody = 0666 };

  // A socket file that nobody listens on any more is replaced.
  UnixListener(Executor executor, const std::string& path, SessionServices& services,
               const Entrance& entrance, Access access = Access::own_group);
  // Of an inherited socket.
  UnixListener(Executor executor, int descriptor, SessionServices& services,
               const Entrance& entrance);
  ~UnixListener() override;
  std::string address() const override;
  bool is_local() const override { return true; }
  void stop() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string path_;  // "" inherited: the file is not ours
};

}  // namespace invlog::capture

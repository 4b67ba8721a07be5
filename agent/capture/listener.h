// Accepts connections on TCP and on a Unix socket and serves each until the stop.
//
// Thread: the I/O thread. Ownership: services must outlive it; the Unix socket's file is removed
// when it stops. Errors: the constructors throw std::runtime_error with one clear line (address in
// use, no permission); running out of file descriptors pauses accepting for a tick.
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
};

class TcpListener : public Listener {
 public:
  // `port` 0: the kernel picks.
  TcpListener(Executor executor, const std::string& host, std::uint16_t port,
              SessionServices& services);
  ~TcpListener() override;
  std::uint16_t port() const;
  void stop() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

class UnixListener : public Listener {
 public:
  // A socket file that nobody listens on any more is replaced.
  UnixListener(Executor executor, const std::string& path, SessionServices& services);
  ~UnixListener() override;
  void stop() override;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string path_;
};

}  // namespace invlog::capture

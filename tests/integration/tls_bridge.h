// Lets a client without TLS talk through the agent's proxy: takes one connection on loopback,
// reaches a host by CONNECT, begins TLS, and passes bytes both ways.
//
// Threads: one of its own from the start to the connection's end. Errors: a refused CONNECT or a
// failed handshake is a result, and ends the client's connection.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/integration/loopback_socket.h"

namespace invlog::test {

class TlsBridge {
 public:
  struct To {
    std::uint16_t proxy_port = 0;
    std::string host;
    std::string authority_file;
    std::string protocol;    // for ALPN, "" none
    std::string name = "";   // in the hello, "" the host
    bool by_connect = true;  // else TLS begins at once
    std::uint16_t port = 443;
  };

  explicit TlsBridge(To to);
  ~TlsBridge();
  std::uint16_t port() const { return port_; }
  // "" or what went wrong; waits for the connection's end.
  std::string problem();

 private:
  void serve();
  bool begin(LoopbackSocket& agent, SSL_CTX* context);
  void pass(int client);

  const To to_;
  int listening_ = -1;
  std::uint16_t port_ = 0;
  SSL* session_ = nullptr;
  std::string problem_;
  std::thread thread_;
};

}  // namespace invlog::test

// An upstream with TLS under Bedrock's names, in HTTP/1.1 and HTTP/2, whose answers a test gives as
// an exchange's handler. Made of the agent's own server side, on a loop and a thread of its own.
//
// Threads: the handler runs on the upstream's. Errors: what cannot work throws std::runtime_error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "agent/capture/listener.h"
#include "agent/proxy/server_tls.h"
#include "tests/temporary_directory.h"

namespace invlog::test {

inline constexpr const char* kBedrockHost = "bedrock-runtime.eu-central-1.amazonaws.com";

// A certificate authority for the Region's Bedrock in `state_dir`.
void make_authority(const std::string& state_dir);

class TlsUpstream {
 public:
  explicit TlsUpstream(capture::ExchangeHandler handler);
  ~TlsUpstream();
  std::uint16_t port() const { return listener_->port(); }
  std::string authority_file() const;

 private:
  capture::Task<void> begin_tls(capture::AcceptedConnection connection);

  tests::TemporaryDirectory directory_;
  capture::asio::io_context context_{1};
  capture::Watchdog watchdog_;
  capture::ClientCounts counts_;
  capture::SessionServices services_;
  std::unique_ptr<proxy::ServerTls> tls_;
  std::unique_ptr<capture::TcpListener> listener_;
  std::thread thread_;
};

}  // namespace invlog::test

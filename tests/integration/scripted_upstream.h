// An upstream on loopback that does what the test says: each connection is handed to the script, on
// a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/loopback_socket.h"

namespace invlog::test {

struct UpstreamRequest {
  std::string head;  // request line and headers, without the empty line
  std::string body;
  bool complete = false;
  std::string line() const { return head.substr(0, head.find("\r\n")); }
  // Exact case.
  std::optional<std::string> header(std::string_view name) const;
};

class ScriptedUpstream {
 public:
  // `number`: of the connection, from 0.
  using Script = std::function<void(LoopbackSocket& connection, int number)>;
  explicit ScriptedUpstream(Script script);
  // Answers each request on each connection with what `answer` returns, as raw bytes.
  static Script answering(std::function<std::string(const UpstreamRequest&)> answer);
  // With the request's body.
  static Script echoing();
  ~ScriptedUpstream();

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  int connections() const { return connections_; }

 private:
  void accept_all();

  Script script_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

// One request from the agent; not complete at the connection's end.
UpstreamRequest read_request(LoopbackSocket& connection);
// A response with Content-Length.
std::string json_response(std::string_view body, int status = 200);

}  // namespace invlog::test

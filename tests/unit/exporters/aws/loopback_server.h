// An HTTP/1.1 server on loopback for tests: it answers as the test says, misbehaves as the test
// says, and keeps what it was asked.
//
// Threads: one of its own serves all connections, one request after the other; `answer` runs on it.
// The public functions may be called from any thread. Errors: what the system refuses throws
// std::runtime_error.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "exporters/aws/http_client.h"

namespace invlog::tests {

struct LoopbackRequest {
  std::string method, target;  // as on the wire
  aws::HttpHeaders headers;    // names in lower case
  std::string body;
  int connection = 0;  // the how manyth, from 0

  bool has_header(std::string_view name) const;
  std::string header(std::string_view name) const;  // "" if there is none
};

struct LoopbackReply {
  enum class Then {
    keep,        // the next request is read from the same connection
    close,       // with FIN
    reset,       // with RST
    half_close,  // FIN, but what comes is still read
    stall        // nothing more is sent or read; the connection stays open
  };
  std::string bytes;  // raw
  Then then = Then::keep;
};

// A whole response with Content-Length. `headers`: "name: value\r\n" each.
LoopbackReply reply(int status, std::string_view body = "", std::string_view headers = "");

class LoopbackServer {
 public:
  using Answer = std::function<LoopbackReply(const LoopbackRequest&)>;
  // `answers_head`: `answer` is asked as soon as a request's head is there; its body is not read.
  explicit LoopbackServer(Answer answer, bool answers_head = false);
  // In order; the last one again for whatever comes after.
  explicit LoopbackServer(std::vector<LoopbackReply> replies);
  ~LoopbackServer();
  LoopbackServer(const LoopbackServer&) = delete;
  LoopbackServer& operator=(const LoopbackServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  std::vector<LoopbackRequest> requests() const;
  // Waits until there were so many; false if that takes longer than 10 s.
  bool wait_for_requests(std::size_t count) const;
  int connections() const;

 private:
  struct Connection {
    std::string unread;
    int number = 0;
    bool silent = false;     // stalled
    bool read_only = false;  // half-closed
  };
  void serve();
  void accept_one();
  bool read_from(int descriptor, Connection& connection);   // false: close it
  bool answer_one(int descriptor, Connection& connection);  // false: close it
  bool carry_out(int descriptor, Connection& connection, const LoopbackReply& reply);

  const Answer answer_;
  const bool answers_head_;
  int listener_ = -1;
  int wake_[2] = {-1, -1};  // a pipe; closing its end stops the thread
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::vector<LoopbackRequest> requests_;  // under mutex_
  int accepted_ = 0;                       // under mutex_
  std::map<int, Connection> open_;         // by descriptor
  std::thread thread_;
};

}  // namespace invlog::tests

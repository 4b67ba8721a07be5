#include "tests/integration/scripted_upstream.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace invlog::test {

std::optional<std::string> UpstreamRequest::header(std::string_view name) const {
  return header_in(head, name);
}

UpstreamRequest read_request(LoopbackSocket& connection) {
  UpstreamRequest request;
  request.head = connection.read_until("\r\n\r\n");
  if (request.head.size() < 4)
    return request;
  request.head.resize(request.head.size() - 4);
  const auto length = request.header("Content-Length");
  const std::size_t count = length ? std::stoul(*length) : 0;
  request.body = connection.read_exactly(count);
  request.complete = request.body.size() == count;
  return request;
}

std::string json_response(std::string_view body, int status) {
  return "HTTP/1.1 " + std::to_string(status) + (status == 200 ? " OK" : " Error") +
         "\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\nx-amzn-RequestId: 11111111-2222-3333-4444-555555555555\r\n\r\n" + std::string(body);
}

ScriptedUpstream::Script ScriptedUpstream::answering(
    std::function<std::string(const UpstreamRequest&)> answer) {
  return [answer = std::move(answer)](LoopbackSocket& connection, int) {
    for (;;) {
      const UpstreamRequest request = read_request(connection);
      if (!request.complete || !connection.send(answer(request)))
        return;
    }
  };
}

ScriptedUpstream::Script ScriptedUpstream::echoing() {
  return answering([](const UpstreamRequest& request) { return json_response(request.body); });
}

ScriptedUpstream::ScriptedUpstream(Script script) : script_(std::move(script)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
  ::listen(listener_, SOMAXCONN);
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

void ScriptedUpstream::accept_all() {
  for (;;) {
    const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (descriptor < 0)
      return;
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(descriptor);
      return;
    }
    // A second descriptor lets the destructor wake a script that waits on the first.
    open_.push_back(::dup(descriptor));
    threads_.emplace_back([this, descriptor, own = open_.back(), number = connections_++] {
      LoopbackSocket connection(descriptor);
      script_(connection, number);
      // The test's duplicate must not keep open what the script meant to close.
      const std::lock_guard held(mutex_);
      for (int& kept : open_) {
        if (kept == own) {
          ::close(kept);
          kept = -1;
        }
      }
    });
  }
}

ScriptedUpstream::~ScriptedUpstream() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    const std::lock_guard lock(mutex_);
    for (int descriptor : open_) {
      if (descriptor >= 0)
        ::shutdown(descriptor, SHUT_RDWR);
    }
  }
  for (std::thread& thread : threads_)
    thread.join();
  ::close(listener_);
}

}  // namespace invlog::test

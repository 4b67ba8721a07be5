#include "tests/integration/loopback_socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>
#include <utility>

namespace invlog::test {

LoopbackSocket LoopbackSocket::connect(std::uint16_t port) {
  LoopbackSocket socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(socket.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("connect: " + std::string(std::strerror(errno)));
  }
  const int on = 1;
  ::setsockopt(socket.descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return socket;
}

LoopbackSocket LoopbackSocket::connect_unix(const std::string& path) {
  LoopbackSocket socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(socket.descriptor_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("connect " + path + ": " + std::strerror(errno));
  }
  return socket;
}

LoopbackSocket::LoopbackSocket(LoopbackSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), buffer_(std::move(other.buffer_)) {}

LoopbackSocket& LoopbackSocket::operator=(LoopbackSocket&& other) noexcept {
  close();
  descriptor_ = std::exchange(other.descriptor_, -1);
  buffer_ = std::move(other.buffer_);
  return *this;
}

bool LoopbackSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

std::string LoopbackSocket::read_some(std::chrono::milliseconds limit) {
  if (!buffer_.empty())
    return std::exchange(buffer_, {});
  pollfd ready{descriptor_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(limit.count())) <= 0)
    return {};
  std::string bytes(64 * 1024, '\0');
  const ssize_t count = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
  bytes.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
  return bytes;
}

std::string LoopbackSocket::read_until(std::string_view text) {
  std::string all;
  for (;;) {
    const std::size_t at = all.find(text);
    if (at != std::string::npos) {
      buffer_ = all.substr(at + text.size()) + buffer_;
      all.resize(at + text.size());
      return all;
    }
    const std::string more = read_some();
    if (more.empty())
      return all;
    all += more;
  }
}

std::string LoopbackSocket::read_exactly(std::size_t count) {
  std::string all;
  while (all.size() < count) {
    const std::string more = read_some();
    if (more.empty())
      return all;
    all += more;
  }
  buffer_ = all.substr(count) + buffer_;
  all.resize(count);
  return all;
}

std::string LoopbackSocket::read_to_end() {
  std::string all;
  for (std::string more = read_some(); !more.empty(); more = read_some())
    all += more;
  return all;
}

bool LoopbackSocket::sees_end(std::chrono::milliseconds limit) {
  if (!buffer_.empty())
    return false;
  pollfd ready{descriptor_, POLLIN, 0};
  if (::poll(&ready, 1, static_cast<int>(limit.count())) <= 0)
    return false;
  char byte;
  return ::recv(descriptor_, &byte, 1, MSG_PEEK) <= 0;
}

bool LoopbackSocket::sees_reset(std::chrono::milliseconds limit) {
  pollfd ready{descriptor_, POLLIN, 0};
  char byte;
  // The first read alone is told of it.
  return buffer_.empty() && ::poll(&ready, 1, static_cast<int>(limit.count())) > 0 &&
         ::recv(descriptor_, &byte, 1, MSG_PEEK) < 0;
}

void LoopbackSocket::shut_writing() {
  ::shutdown(descriptor_, SHUT_WR);
}

void LoopbackSocket::reset() {
  const linger at_once{1, 0};
  ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  close();
}

void LoopbackSocket::close() {
  if (descriptor_ >= 0)
    ::close(std::exchange(descriptor_, -1));
}

std::optional<std::string> header_in(const std::string& head, std::string_view name) {
  const std::string start = "\r\n" + std::string(name) + ": ";
  const std::size_t at = head.find(start);
  if (at == std::string::npos)
    return std::nullopt;
  const std::size_t value = at + start.size();
  return head.substr(value, head.find("\r\n", value) - value);
}

std::optional<std::string> HttpResponse::header(std::string_view name) const {
  return header_in(head, name);
}

HttpResponse read_response(LoopbackSocket& socket, bool answers_head) {
  HttpResponse response;
  do {
    response.head = socket.read_until("\r\n\r\n");
    if (response.head.size() < 16 || response.head.compare(response.head.size() - 4, 4, "\r\n\r\n"))
      return response;
    response.head.resize(response.head.size() - 4);
    response.status = std::stoi(response.head.substr(9, 3));
  } while (response.status == 100);
  if (answers_head || response.status == 204 || response.status == 304) {
    response.complete = true;
  } else if (const auto length = response.header("Content-Length")) {
    response.body = socket.read_exactly(std::stoul(*length));
    response.complete = response.body.size() == std::stoul(*length);
  } else if (response.header("Transfer-Encoding") == "chunked") {
    for (;;) {
      const std::string line = socket.read_until("\r\n");
      if (line.size() < 3)
        return response;
      const std::size_t size = std::stoul(line, nullptr, 16);
      if (size == 0)
        break;
      response.body += socket.read_exactly(size);
      if (socket.read_exactly(2) != "\r\n")
        return response;
    }
    for (std::string line = socket.read_until("\r\n"); line != "\r\n";
         line = socket.read_until("\r\n")) {
      if (line.empty())
        return response;
      response.trailers += line;
    }
    response.complete = true;
  } else {
    response.body = socket.read_to_end();
    response.complete = true;
  }
  return response;
}

}  // namespace invlog::test

#include "tests/unit/exporters/aws/loopback_server.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

namespace invlog::tests {
namespace {

[[noreturn]] void fail(const char* call) {
  throw std::runtime_error(std::string(call) + ": " + std::strerror(errno));
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char byte) {
    return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte + 32) : byte;
  });
  return out;
}

LoopbackRequest parse_head(std::string_view head) {
  LoopbackRequest request;
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  request.method = line.substr(0, first);
  request.target = line.substr(first + 1, last - first - 1);
  head.remove_prefix(line.size() + 2);
  while (!head.empty()) {
    const std::string_view header = head.substr(0, head.find("\r\n"));
    const std::size_t colon = header.find(':');
    const std::size_t value = std::min(header.find_first_not_of(' ', colon + 1), header.size());
    request.headers.emplace_back(lower(header.substr(0, colon)), header.substr(value));
    head.remove_prefix(std::min(header.size() + 2, head.size()));
  }
  return request;
}

LoopbackServer::Answer in_order(std::vector<LoopbackReply> replies) {
  return [replies = std::move(replies), next = std::size_t{0}](const LoopbackRequest&) mutable {
    const std::size_t now = std::min(next++, replies.size() - 1);
    return replies.at(now);
  };
}

}  // namespace

bool LoopbackRequest::has_header(std::string_view name) const {
  return std::any_of(headers.begin(), headers.end(),
                     [name](const auto& header) { return header.first == name; });
}

std::string LoopbackRequest::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const auto& header) { return header.first == name; });
  return found == headers.end() ? "" : found->second;
}

LoopbackReply reply(int status, std::string_view body, std::string_view headers) {
  LoopbackReply result;
  result.bytes = "HTTP/1.1 " + std::to_string(status) + " Reason\r\n";
  result.bytes.append(headers).append("Content-Length: ").append(std::to_string(body.size()));
  result.bytes.append("\r\n\r\n").append(body);
  return result;
}

LoopbackServer::LoopbackServer(std::vector<LoopbackReply> replies)
    : LoopbackServer(in_order(std::move(replies))) {}

LoopbackServer::LoopbackServer(Answer answer, bool answers_head)
    : answer_(std::move(answer)), answers_head_(answers_head) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (listener_ < 0 || ::bind(listener_, generic, size) != 0 || ::listen(listener_, 16) != 0 ||
      ::getsockname(listener_, generic, &size) != 0 || ::pipe(wake_) != 0) {
    fail("loopback server");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { serve(); });
}

LoopbackServer::~LoopbackServer() {
  ::close(wake_[1]);
  thread_.join();
  for (const auto& [descriptor, connection] : open_) {
    ::close(descriptor);
  }
  ::close(wake_[0]);
  ::close(listener_);
}

std::vector<LoopbackRequest> LoopbackServer::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool LoopbackServer::wait_for_requests(std::size_t count) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(10),
                           [&] { return requests_.size() >= count; });
}

int LoopbackServer::connections() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

void LoopbackServer::serve() {
  while (true) {
    std::vector<pollfd> watched{{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const auto& [descriptor, connection] : open_) {
      if (!connection.silent) {
        watched.push_back({descriptor, POLLIN, 0});
      }
    }
    if (::poll(watched.data(), watched.size(), -1) < 0) {
      continue;
    }
    if (watched[0].revents != 0) {
      return;
    }
    if (watched[1].revents != 0) {
      accept_one();
    }
    for (std::size_t i = 2; i < watched.size(); ++i) {
      const auto found = open_.find(watched[i].fd);
      if (watched[i].revents != 0 && !read_from(found->first, found->second)) {
        ::close(found->first);
        open_.erase(found);
      }
    }
  }
}

void LoopbackServer::accept_one() {
  const int descriptor = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (descriptor < 0) {
    return;
  }
  const std::lock_guard lock(mutex_);
  open_[descriptor].number = accepted_++;
}

bool LoopbackServer::read_from(int descriptor, Connection& connection) {
  char bytes[64 * 1024];
  const ssize_t count = ::recv(descriptor, bytes, answers_head_ ? 1 : sizeof bytes, 0);
  if (count <= 0) {
    return false;
  }
  if (connection.read_only) {
    return true;
  }
  connection.unread.append(bytes, static_cast<std::size_t>(count));
  return answer_one(descriptor, connection);
}

bool LoopbackServer::answer_one(int descriptor, Connection& connection) {
  const std::size_t end = connection.unread.find("\r\n\r\n");
  if (end == std::string::npos) {
    return true;
  }
  LoopbackRequest request = parse_head(std::string_view(connection.unread).substr(0, end + 2));
  request.connection = connection.number;
  const std::string length = request.header("content-length");
  const std::size_t body = length.empty() || answers_head_ ? 0 : std::stoul(length);
  if (connection.unread.size() < end + 4 + body) {
    return true;
  }
  request.body = connection.unread.substr(end + 4, body);
  connection.unread.erase(0, end + 4 + body);
  {
    const std::lock_guard lock(mutex_);
    requests_.push_back(request);
  }
  changed_.notify_all();
  return carry_out(descriptor, connection, answer_(request));
}

bool LoopbackServer::carry_out(int descriptor, Connection& connection, const LoopbackReply& reply) {
  std::string_view left = reply.bytes;
  while (!left.empty()) {
    const ssize_t count = ::send(descriptor, left.data(), left.size(), MSG_NOSIGNAL);
    if (count <= 0) {
      return false;
    }
    left.remove_prefix(static_cast<std::size_t>(count));
  }
  switch (reply.then) {
    case LoopbackReply::Then::keep:
      return true;
    case LoopbackReply::Then::close:
      return false;
    case LoopbackReply::Then::reset: {
      const linger at_once{1, 0};
      ::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      return false;
    }
    case LoopbackReply::Then::half_close:
      ::shutdown(descriptor, SHUT_WR);
      connection.read_only = true;
      return true;
    case LoopbackReply::Then::stall:
      connection.silent = true;
      return true;
  }
  return false;
}

}  // namespace invlog::tests

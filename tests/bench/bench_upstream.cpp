// The bench's upstream: a Bedrock that answers at once with fixed text, so that what a proxy adds
// is most of what is measured. One thread, epoll, keep-alive; reads request bodies whole
// (Content-Length or chunked) and drops them.
//
// What to answer is in the model id of the request, so that it passes every proxy unchanged:
//   POST /model/bench-response1024/converse              a Converse body with 1024 bytes of text
//   POST /model/bench-frames50-delay20000-text40/converse-stream
//                    an event stream of 50 text deltas of 40 bytes, 20000 µs apart (0: one write
//                    each, back to back)
//   GET /bench-statistics                                what it has seen, as JSON
// bench_upstream [PORT [CERTIFICATE KEY]]: port 0 is any; with two PEM files it speaks TLS. Prints
// its port as one line of JSON when it is ready.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>
#include <queue>
#include <random>
#include <stdexcept>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

#include "tests/bench/channel.h"
#include "tests/bench/event_frames.h"
#include "tests/bench/http_reader.h"
#include "tests/bench/text_pool.h"

namespace invlog::bench {
namespace {

constexpr std::size_t kPoolBytes = 16 << 20;
constexpr std::size_t kLargestText = 4 << 20;
constexpr std::size_t kReadBytes = 256 << 10;

std::int64_t now_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::system_error system_failure(const char* what) {
  return {errno, std::generic_category(), what};
}

// The number behind `name` in a target such as /model/bench-frames50/converse-stream.
std::uint64_t parameter(std::string_view target, std::string_view name, std::uint64_t otherwise) {
  const auto at = target.find(name);
  if (at == target.npos) {
    return otherwise;
  }
  std::uint64_t value = otherwise;
  std::from_chars(target.data() + at + name.size(), target.data() + target.size(), value);
  return value;
}

std::string http_chunk(std::string_view bytes) {
  char size[24];
  std::snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  std::string chunk = size;
  chunk += bytes;
  chunk += "\r\n";
  return chunk;
}

struct Connection {
  Connection(int descriptor, SSL_CTX* tls, std::uint64_t serial_number)
      : fd(descriptor),
        channel(descriptor, tls),
        serial(serial_number),
        reader(HttpReader::Kind::request) {}

  const int fd;  // the channel's
  Channel channel;
  std::uint64_t serial;  // tells a timer that its connection is gone and the descriptor another's
  HttpReader reader;
  std::string unread;  // came while a stream was being sent
  std::string unsent;  // the socket would not take it yet
  bool streaming = false;
  std::uint64_t frames_left = 0;
  std::int64_t delay_us = 0;
  std::size_t text_bytes = 0;
};

class UpstreamServer {
 public:
  UpstreamServer(std::uint16_t port, Tls tls);
  std::uint16_t port() const { return port_; }
  [[noreturn]] void run();

 private:
  void accept_all();
  void on_event(int fd, std::uint32_t events);
  bool read_some(Connection& connection);
  bool take_bytes(Connection& connection, std::string_view bytes);
  void answer(Connection& connection);
  void answer_whole(Connection& connection, std::string_view content_type,
                    std::initializer_list<std::string_view> body);
  void begin_stream(Connection& connection);
  void send_frame(Connection& connection);
  void run_timers();
  void arm_timer();
  void send(Connection& connection, std::initializer_list<std::string_view> parts);
  void flush(Connection& connection);
  void watch(Connection& connection, int operation, std::uint32_t events);
  void close(Connection& connection);
  std::string response_head(std::string_view content_type, std::string_view framing);

  struct Timer {
    std::int64_t due_us;
    int fd;
    std::uint64_t serial;
    bool operator>(const Timer& other) const { return due_us > other.due_us; }
  };

  Tls tls_;
  int listener_ = -1, epoll_ = -1, timer_ = -1;
  std::uint16_t port_ = 0;
  std::unordered_map<int, std::unique_ptr<Connection>> connections_;
  std::priority_queue<Timer, std::vector<Timer>, std::greater<>> timers_;
  std::vector<char> buffer_ = std::vector<char>(kReadBytes);
  TextPool pool_{kPoolBytes};
  std::uint32_t run_id_ = std::random_device()();
  std::uint64_t serials_ = 0, calls_ = 0, body_bytes_ = 0, streams_ = 0, peak_streams_ = 0;
};

UpstreamServer::UpstreamServer(std::uint16_t port, Tls tls) : tls_(std::move(tls)) {
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t length = sizeof address;
  if (listener_ < 0 || ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) < 0 ||
      ::listen(listener_, 1024) < 0 ||
      ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length) < 0) {
    throw system_failure("bench_upstream: listening on 127.0.0.1");
  }
  port_ = ntohs(address.sin_port);
  epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
  timer_ = ::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  for (const int fd : {listener_, timer_}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) < 0) {
      throw system_failure("bench_upstream: epoll");
    }
  }
}

void UpstreamServer::run() {
  std::vector<epoll_event> events(256);
  while (true) {
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
    for (int index = 0; index < count; ++index) {
      const int fd = events[static_cast<std::size_t>(index)].data.fd;
      if (fd == listener_) {
        accept_all();
      } else if (fd == timer_) {
        run_timers();
      } else {
        on_event(fd, events[static_cast<std::size_t>(index)].events);
      }
    }
  }
}

void UpstreamServer::accept_all() {
  while (true) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      return;
    }
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    auto connection = std::make_unique<Connection>(fd, tls_.get(), ++serials_);
    watch(*connection, EPOLL_CTL_ADD, EPOLLIN);
    connections_[fd] = std::move(connection);
  }
}

void UpstreamServer::on_event(int fd, std::uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) {
    return;
  }
  auto& connection = *found->second;
  if (events & EPOLLOUT) {
    flush(connection);
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !read_some(connection)) {
    close(connection);
  }
}

bool UpstreamServer::read_some(Connection& connection) {
  const auto count = connection.channel.receive(buffer_.data(), buffer_.size());
  if (count <= 0) {
    return count < 0;
  }
  return take_bytes(connection, {buffer_.data(), static_cast<std::size_t>(count)});
}

bool UpstreamServer::take_bytes(Connection& connection, std::string_view bytes) {
  while (!bytes.empty()) {
    if (connection.streaming) {
      connection.unread += bytes;
      return true;
    }
    bytes.remove_prefix(connection.reader.feed(bytes, {}));
    if (connection.reader.failed()) {
      return false;
    }
    if (connection.reader.complete()) {
      body_bytes_ += connection.reader.body_bytes();
      answer(connection);
      connection.reader.next_message();
    }
  }
  return true;
}

void UpstreamServer::answer(Connection& connection) {
  const auto target = connection.reader.target();
  if (target == "/bench-statistics") {
    const auto statistics = "{\"calls\":" + std::to_string(calls_) +
                            ",\"body_bytes\":" + std::to_string(body_bytes_) +
                            ",\"connections\":" + std::to_string(serials_) +
                            ",\"peak_streams\":" + std::to_string(peak_streams_) + "}";
    answer_whole(connection, "application/json", {statistics});
    return;
  }
  ++calls_;
  if (target.find("-stream") != target.npos) {
    begin_stream(connection);
    return;
  }
  const auto bytes = parameter(target, "response", 256);
  const auto text = pool_.take(std::min<std::size_t>(bytes, kLargestText));
  answer_whole(
      connection, "application/json",
      {R"({"metrics":{"latencyMs":1},"output":{"message":{"content":[{"text":")", text,
       R"("}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":250,"outputTokens":60,"totalTokens":310}})"});
}

std::string UpstreamServer::response_head(std::string_view content_type, std::string_view framing) {
  static std::time_t shown = 0;
  static char date[64];
  const auto now = std::time(nullptr);
  if (now != shown) {
    shown = now;
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &utc);
  }
  char head[512];
  const int length =
      std::snprintf(head, sizeof head,
                    "HTTP/1.1 200 OK\r\nDate: %s\r\nContent-Type: %.*s\r\n%.*s\r\nConnection: "
                    "keep-alive\r\nx-amzn-RequestId: %08x-0000-4000-8000-%012llx\r\n\r\n",
                    date, static_cast<int>(content_type.size()), content_type.data(),
                    static_cast<int>(framing.size()), framing.data(), run_id_,
                    static_cast<unsigned long long>(calls_));
  return {head, static_cast<std::size_t>(length)};
}

void UpstreamServer::answer_whole(Connection& connection, std::string_view content_type,
                                  std::initializer_list<std::string_view> body) {
  std::size_t bytes = 0;
  for (const auto part : body) {
    bytes += part.size();
  }
  const auto head = response_head(content_type, "Content-Length: " + std::to_string(bytes));
  const auto* part = body.begin();
  if (body.size() == 1) {
    send(connection, {head, part[0]});
  } else {
    send(connection, {head, part[0], part[1], part[2]});
  }
}

void UpstreamServer::begin_stream(Connection& connection) {
  const auto target = connection.reader.target();
  connection.streaming = true;
  connection.frames_left = parameter(target, "frames", 20);
  connection.delay_us = static_cast<std::int64_t>(parameter(target, "delay", 0));
  connection.text_bytes = std::min<std::size_t>(parameter(target, "text", 32), kLargestText);
  ++streams_;
  peak_streams_ = std::max(peak_streams_, streams_);
  const auto head =
      response_head("application/vnd.amazon.eventstream", "Transfer-Encoding: chunked");
  const auto start = http_chunk(event_frame(
      "messageStart", R"({"p":"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM","role":"assistant"})"));
  send(connection, {head, start});
  if (connection.delay_us == 0) {
    while (connection.streaming) {
      send_frame(connection);
    }
    return;
  }
  timers_.push({now_us() + connection.delay_us, connection.fd, connection.serial});
  arm_timer();
}

void UpstreamServer::send_frame(Connection& connection) {
  if (connection.frames_left > 0) {
    --connection.frames_left;
    const auto text = pool_.take(connection.text_bytes);
    send(connection, {http_chunk(stamped_delta(now_us(), text))});
    return;
  }
  const auto end =
      http_chunk(event_frame("contentBlockStop", R"({"contentBlockIndex":0,"p":"abcdefghijkl"})")) +
      http_chunk(event_frame("messageStop", R"({"p":"abcdefghijk","stopReason":"end_turn"})")) +
      http_chunk(event_frame(
          "metadata", R"({"metrics":{"latencyMs":605},"p":"abcdefghijklm",)"
                      R"("usage":{"inputTokens":250,"outputTokens":60,"totalTokens":310}})")) +
      "0\r\n\r\n";
  send(connection, {end});
  connection.streaming = false;
  --streams_;
}

void UpstreamServer::run_timers() {
  std::uint64_t expirations = 0;
  if (::read(timer_, &expirations, sizeof expirations) < 0 && errno != EAGAIN) {
    throw system_failure("bench_upstream: timer");
  }
  const auto now = now_us();
  while (!timers_.empty() && timers_.top().due_us <= now) {
    const auto timer = timers_.top();
    timers_.pop();
    const auto found = connections_.find(timer.fd);
    if (found == connections_.end() || found->second->serial != timer.serial) {
      continue;
    }
    auto& connection = *found->second;
    send_frame(connection);
    if (connection.streaming) {
      timers_.push({timer.due_us + connection.delay_us, timer.fd, timer.serial});
    } else if (!connection.unread.empty()) {
      const auto unread = std::exchange(connection.unread, {});
      if (!take_bytes(connection, unread)) {
        close(connection);
      }
    }
  }
  arm_timer();
}

void UpstreamServer::arm_timer() {
  if (timers_.empty()) {
    return;
  }
  itimerspec when{};
  const auto due = timers_.top().due_us;
  when.it_value.tv_sec = due / 1000000;
  when.it_value.tv_nsec = due % 1000000 * 1000;
  ::timerfd_settime(timer_, TFD_TIMER_ABSTIME, &when, nullptr);
}

void UpstreamServer::send(Connection& connection, std::initializer_list<std::string_view> parts) {
  std::size_t sent = 0;
  if (connection.unsent.empty()) {
    std::array<iovec, 4> vectors{};
    std::size_t used = 0;
    for (const auto part : parts) {
      vectors.at(used++) = {const_cast<char*>(part.data()), part.size()};
    }
    const auto count = connection.channel.send(vectors.data(), used);
    sent = count > 0 ? static_cast<std::size_t>(count) : 0;
  }
  for (const auto part : parts) {
    const auto skipped = std::min(sent, part.size());
    connection.unsent += part.substr(skipped);
    sent -= skipped;
  }
  if (!connection.unsent.empty()) {
    watch(connection, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
}

void UpstreamServer::flush(Connection& connection) {
  const iovec rest{connection.unsent.data(), connection.unsent.size()};
  const auto count = connection.channel.send(&rest, 1);
  if (count > 0) {
    connection.unsent.erase(0, static_cast<std::size_t>(count));
  }
  if (connection.unsent.empty()) {
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
  }
}

void UpstreamServer::watch(Connection& connection, int operation, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = connection.fd;
  ::epoll_ctl(epoll_, operation, connection.fd, &event);
}

void UpstreamServer::close(Connection& connection) {
  if (connection.streaming) {
    --streams_;
  }
  connections_.erase(connection.fd);
}

}  // namespace
}  // namespace invlog::bench

int main(int argument_count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  try {
    const int port = argument_count > 1 ? std::stoi(arguments[1]) : 0;
    invlog::bench::Tls tls;
    if (argument_count > 3) {
      tls = invlog::bench::make_server_tls(arguments[2], arguments[3]);
    }
    invlog::bench::UpstreamServer server(static_cast<std::uint16_t>(port), std::move(tls));
    std::printf("{\"port\":%u}\n", static_cast<unsigned>(server.port()));
    std::fflush(stdout);
    server.run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}

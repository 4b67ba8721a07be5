// A client's HTTP/2 connection as a sequence of steps: well-formed and odd frames, resets, windows,
// pauses, stalls, a stop; over the production session, with calls that answer at once, later, in
// pieces, or break off. Whatever the order, the connection and its calls must end once the client
// has closed, and nothing may be used after it has gone.
//
// fuzz_http_request feeds any bytes; here the fuzzer need not find HTTP/2's framing first.
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <list>

#include "agent/capture/capture_session.h"

namespace {

using namespace invlog::capture;

// The fuzzer's bytes as choices; zeros when they are used up.
class Choices {
 public:
  Choices(const std::uint8_t* data, std::size_t size)
      : rest_(reinterpret_cast<const char*>(data), size) {}
  bool left() const { return !rest_.empty(); }
  std::uint32_t number(std::uint32_t most) {
    std::uint32_t value = 0;
    for (std::uint32_t range = most; range > 0; range >>= 8)
      value = value << 8 | byte();
    return most == 0 ? 0 : value % (most + 1);
  }
  bool yes() { return number(1) == 1; }
  std::uint8_t byte() {
    if (rest_.empty())
      return 0;
    const auto first = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return first;
  }
  std::string_view text(std::size_t most) {
    const std::string_view taken = rest_.substr(0, number(static_cast<std::uint32_t>(most)));
    rest_.remove_prefix(taken.size());
    return taken;
  }
  std::string_view one_of(std::initializer_list<std::string_view> list) {
    return list.begin()[number(static_cast<std::uint32_t>(list.size() - 1))];
  }

 private:
  std::string_view rest_;
};

// Calls that wait to be let go on.
std::list<Event*> held;

Task<void> answer(Exchange& exchange) {
  bool gone = false;
  exchange.when_client_gone([&] { gone = true; });
  std::string body;
  const BodyRead read = co_await exchange.read_body(body, 4096);
  const std::string target = exchange.request().target;
  if (target == "/held") {
    Event go_on;
    held.push_back(&go_on);
    co_await go_on.wait();
  }
  exchange.when_client_gone({});
  if (read == BodyRead::client_gone)
    co_return;
  ResponseHead head;
  head.status = read == BodyRead::complete ? 200 : 413;
  head.headers = {{"X-Gone", gone ? "1" : "0"}};
  if (target == "/none") {
    head.body = ResponseHead::Body::none;
    co_await exchange.start_response(head, {}, true);
    co_return;
  }
  if (!co_await exchange.start_response(head, "first", false))
    co_return;
  if (target == "/broken") {
    exchange.abort();
    co_return;
  }
  if (co_await exchange.continue_response(body, false, {})) {
    if (target == "/trailers") {
      co_await exchange.continue_response({}, true, {{"X-Sum", "7"}});
    } else {
      co_await exchange.continue_response("last", true, {});
    }
  }
}

void add_frame(std::string& out, std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
               std::string_view payload) {
  for (const int shift : {16, 8, 0})
    out += static_cast<char>(payload.size() >> shift);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0})
    out += static_cast<char>(stream >> shift);
  out += payload;
}

void add_literal(std::string& out, std::string_view name, std::string_view value) {
  out += '\0';
  out += static_cast<char>(name.size());
  out += name;
  out += static_cast<char>(value.size());
  out += value;
}

std::string header_block(Choices& data) {
  std::string block;
  add_literal(block, ":method", data.one_of({"POST", "GET", "HEAD", "CONNECT"}));
  add_literal(block, ":scheme", "http");
  add_literal(block, ":path", data.one_of({"/x", "/held", "/none", "/broken", "/trailers", "bad"}));
  if (data.yes())
    add_literal(block, "expect", "100-continue");
  if (data.yes())
    add_literal(block, "content-length", data.one_of({"0", "5", "5000", "x"}));
  if (data.yes())
    add_literal(block, data.text(20), data.text(60));
  return block;
}

std::string four_bytes(std::uint32_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0})
    bytes += static_cast<char>(number >> shift);
  return bytes;
}

class Connection {
 public:
  explicit Connection(Choices& data) : data_(data) {
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends_) != 0)
      std::abort();
    StreamSocket socket(context_.get_executor(), asio::generic::stream_protocol(AF_UNIX, 0),
                        ends_[0]);
    asio::co_spawn(context_, serve_connection(std::move(socket), services_, services_.endpoint),
                   asio::detached);
    services_.options.max_concurrent_streams = 4;
  }

  void run() {
    std::string settings;
    if (data_.yes())
      settings = std::string("\0\4", 2) + four_bytes(data_.number(100));
    out_ = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    add_frame(out_, NGHTTP2_SETTINGS, 0, 0, settings);
    for (int step = 0; step < 200 && data_.left(); ++step)
      take_step();
    send();
    ::close(ends_[1]);
    let_go_on();
    context_.restart();
    context_.run_for(std::chrono::seconds(5));
    if (services_.sessions.size() != 0 || watchdog_.size() != 0)
      std::abort();  // it did not end
  }

 private:
  void take_step() {
    // Few streams, so that frames meet.
    const std::uint32_t stream = data_.number(15);
    switch (data_.number(13)) {
      case 0:
      case 1: {
        const bool end = data_.yes();
        newest_ += 2;
        add_frame(out_, NGHTTP2_HEADERS,
                  NGHTTP2_FLAG_END_HEADERS | (end ? NGHTTP2_FLAG_END_STREAM : 0), newest_,
                  header_block(data_));
        break;
      }
      case 2:
        add_frame(out_, NGHTTP2_DATA, data_.yes() ? NGHTTP2_FLAG_END_STREAM : 0, newest_,
                  std::string(data_.number(5000), 'x'));
        break;
      case 3:
        add_frame(out_, NGHTTP2_DATA, data_.byte(), stream, data_.text(20));
        break;
      case 4:
        add_frame(out_, NGHTTP2_RST_STREAM, 0, data_.yes() ? newest_ : stream,
                  four_bytes(data_.number(14)));
        break;
      case 5:
        add_frame(out_, NGHTTP2_WINDOW_UPDATE, 0, data_.yes() ? newest_ : stream,
                  four_bytes(data_.number(5000)));
        break;
      case 6:
        add_frame(out_, NGHTTP2_HEADERS, data_.byte(), stream, header_block(data_));
        break;
      case 7:
        add_frame(out_, static_cast<std::uint8_t>(data_.number(11)), data_.byte(), stream,
                  data_.text(40));
        break;
      case 8:
        send();
        break;
      case 9:
        send();
        settle();
        break;
      case 10:
        let_go_on();
        break;
      case 11:
        watchdog_.expire_all();
        break;
      case 12:
        services_.sessions.drain();
        break;
      case 13: {
        // The client reads.
        char bytes[4096];
        while (::recv(ends_[1], bytes, sizeof bytes, 0) > 0) {
        }
        break;
      }
    }
  }
  void send() {
    // What the socket has no room for is lost, as if the frames had been others.
    if (!out_.empty()) [[maybe_unused]]
      const auto sent = ::send(ends_[1], out_.data(), out_.size(), MSG_NOSIGNAL);
    out_.clear();
  }
  void settle() {
    context_.restart();
    context_.poll();
  }
  // Those too that begin to wait when others have ended.
  void let_go_on() {
    for (settle(); !held.empty(); settle()) {
      for (Event* each : std::exchange(held, {}))
        each->set();
    }
  }

  Choices& data_;
  int ends_[2];
  asio::io_context context_{1};
  Watchdog watchdog_{std::chrono::steady_clock::now()};
  ClientCounts counts_;
  SessionServices services_{{answer}, SessionOptions{}, watchdog_, {}, counts_};
  std::string out_;
  std::uint32_t newest_ = static_cast<std::uint32_t>(-1);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(data, size);
  held.clear();
  Connection(choices).run();
  return 0;
}

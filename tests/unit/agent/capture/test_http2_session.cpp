// How a stream ends after an answer that did not wait for the request; what is served is in
// tests/integration.
#include "agent/capture/http2_session.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "agent/capture/capture_session.h"
#include "agent/capture/memory_budget.h"
#include "tests/catch.h"
#include "tests/unit/agent/capture/coroutine_loop.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {
namespace {

// More than the connection's window, which is 1 MiB: some of it was given back.
constexpr std::size_t kManyWindows = 3 << 20;

Task<void> refuse_stream_unread(Exchange& exchange) {
  exchange.leave_body();
  const LocalResponse refusal = aws_error(413, "RequestEntityTooLargeException", "too large");
  co_await give_response(exchange, refusal.head, refusal.body);
}

// nghttp2's client with one request at a time, of which the body goes on until it is told to end.
class StreamingClient {
 public:
  explicit StreamingClient(int descriptor) : descriptor_(descriptor) {
    nghttp2_session_callbacks* callbacks = nullptr;
    REQUIRE(nghttp2_session_callbacks_new(&callbacks) == 0);
    nghttp2_session_callbacks_set_on_header_callback(
        callbacks,
        [](nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name, std::size_t length,
           const std::uint8_t* value, std::size_t value_length, std::uint8_t, void* self) {
          if (std::string_view(reinterpret_cast<const char*>(name), length) == ":status")
            static_cast<StreamingClient*>(self)->status.assign(reinterpret_cast<const char*>(value),
                                                               value_length);
          return 0;
        });
    nghttp2_session_callbacks_set_on_frame_recv_callback(
        callbacks, [](nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
          auto& self = *static_cast<StreamingClient*>(user_data);
          if (frame->hd.type == NGHTTP2_RST_STREAM)
            self.reset = frame->rst_stream.error_code;
          self.answered |=
              frame->hd.type == NGHTTP2_DATA && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
          return 0;
        });
    nghttp2_session_callbacks_set_on_stream_close_callback(
        callbacks, [](nghttp2_session*, std::int32_t, std::uint32_t, void* self) {
          static_cast<StreamingClient*>(self)->closed = true;
          return 0;
        });
    REQUIRE(nghttp2_session_client_new(&session_, callbacks, this) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, nullptr, 0);
  }
  ~StreamingClient() { nghttp2_session_del(session_); }
  StreamingClient(const StreamingClient&) = delete;
  StreamingClient& operator=(const StreamingClient&) = delete;

  void begin_request() {
    status.clear();
    reset.reset();
    answered = closed = ends = false;
    sent = 0;
    const auto field = [](std::string_view name, std::string_view value) {
      return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                        reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())),
                        name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
    };
    const std::string digits = std::to_string(length);
    const nghttp2_nv head[] = {field(":method", "POST"),        field(":scheme", "http"),
                               field(":authority", "x"),        field(":path", "/x"),
                               field("content-length", digits), field("expect", "100-continue")};
    nghttp2_data_provider body{};
    body.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                            std::uint32_t* flags, nghttp2_data_source*,
                            void* user_data) -> ssize_t {
      auto& self = *static_cast<StreamingClient*>(user_data);
      if (self.length > 0)
        room = std::min(room, self.length - self.sent);
      if (self.ends || (self.length > 0 && self.sent + room == self.length))
        *flags |= NGHTTP2_DATA_FLAG_EOF;
      std::memset(into, 'x', room);
      self.sent += room;
      return static_cast<ssize_t>(room);
    };
    const std::size_t fields = length == 0 ? 4 : expects ? 6 : 5;
    REQUIRE(nghttp2_submit_request(session_, nullptr, head, fields, &body, nullptr) > 0);
  }

  // Sends what the windows let it send, and takes what has come.
  void step() {
    for (;;) {
      if (unsent_.empty()) {
        const std::uint8_t* bytes = nullptr;
        const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
        if (count <= 0)
          break;
        unsent_.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
      }
      const ssize_t count =
          ::send(descriptor_, unsent_.data(), unsent_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count <= 0)
        break;
      unsent_.erase(0, static_cast<std::size_t>(count));
    }
    std::uint8_t bytes[4096];
    ssize_t count = 0;
    while ((count = ::recv(descriptor_, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
      REQUIRE(nghttp2_session_mem_recv(session_, bytes, static_cast<std::size_t>(count)) == count);
  }

  std::size_t length = 0;  // that a request tells, and ends with; 0: none
  bool expects = false;    // to be asked for the body; tells it
  bool ends = false;       // with the next bytes
  std::size_t sent = 0;
  std::string status;
  bool answered = false;  // to the end
  std::optional<std::uint32_t> reset;
  bool closed = false;

 private:
  const int descriptor_;
  nghttp2_session* session_ = nullptr;
  std::string unsent_;
};

struct StreamScene {
  explicit StreamScene(std::size_t linger_bytes = 16 * kManyWindows) {
    services.options.linger_bytes = linger_bytes;
    services.options.unread_bodies = &unread;
    StreamSocket socket(loop.executor());
    socket.assign(asio::generic::stream_protocol(AF_INET, IPPROTO_TCP),
                  std::exchange(pair.server, -1));
    ended = loop.start(serve_connection(std::move(socket), services, services.endpoint));
  }
  ~StreamScene() {
    services.sessions.close();
    loop.run();
  }
  template <class Done>
  bool run_until(Done done) {
    return loop.run_until([&] {
      client.step();
      return done() || *ended;
    }) && !*ended;
  }

  const Watchdog::Time began = std::chrono::steady_clock::now();
  CoroutineLoop loop;
  Watchdog watchdog{began};
  ClientCounts counts;
  MemoryBudget unread{1 << 20};
  SessionServices services{{refuse_stream_unread}, {}, watchdog, {}, counts};
  LoopbackPair pair;
  StreamingClient client{pair.client};
  std::shared_ptr<bool> ended;
};

}  // namespace

TEST_CASE("HTTP/2: after a refusal a client may send for linger_time, then the stream is reset") {
  StreamScene scene;
  StreamingClient& client = scene.client;
  client.begin_request();
  CHECK(scene.run_until([&] { return client.answered && client.sent > kManyWindows; }));
  CHECK(client.status == "413");
  CHECK(scene.unread.used() == 0);
  const auto linger_time = scene.services.options.linger_time;
  scene.watchdog.tick(scene.began + linger_time);
  CHECK(scene.run_until([&] { return client.sent > 2 * kManyWindows; }));
  CHECK_FALSE(client.reset.has_value());
  scene.watchdog.tick(scene.began + linger_time + scene.watchdog.tick_length());
  CHECK(scene.run_until([&] { return client.reset.has_value(); }));
  CHECK(client.reset == std::uint32_t{NGHTTP2_NO_ERROR});
  CHECK(scene.counts.slow_cut == 0);
  // The connection goes on.
  client.begin_request();
  CHECK(scene.run_until([&] { return client.answered; }));
}

TEST_CASE("HTTP/2: a refusal comes when the rest of a body of known length was taken") {
  StreamScene scene;
  StreamingClient& client = scene.client;
  client.length = 2 * kManyWindows;
  bool answered_early = false;
  client.begin_request();
  CHECK(scene.run_until([&] {
    answered_early |= !client.status.empty() && client.sent < client.length;
    return client.closed;
  }));
  CHECK_FALSE(answered_early);
  CHECK(client.sent == client.length);
  CHECK(client.answered);
  CHECK(client.status == "413");
  CHECK_FALSE(client.reset.has_value());
  CHECK(scene.unread.used() == 0);
}

TEST_CASE("HTTP/2: a refusal waits for a body of known length within linger_time only") {
  StreamScene scene;
  StreamingClient& client = scene.client;
  client.length = std::size_t{1} << 40;
  client.begin_request();
  CHECK(scene.run_until([&] { return client.sent > kManyWindows; }));
  CHECK(client.status.empty());
  scene.watchdog.tick(scene.began + scene.services.options.linger_time +
                      scene.watchdog.tick_length());
  CHECK(scene.run_until([&] { return client.answered; }));
  CHECK(client.status == "413");
}

TEST_CASE("HTTP/2: a refusal waits for a body of known length up to linger_bytes only") {
  StreamScene scene(100'000);
  scene.client.length = std::size_t{1} << 40;
  scene.client.begin_request();
  CHECK(scene.run_until([&] { return scene.client.answered; }));
}

TEST_CASE("HTTP/2: who asks whether to send a body is refused at once") {
  StreamScene scene;
  scene.client.length = std::size_t{1} << 40;
  scene.client.expects = true;
  scene.client.begin_request();
  CHECK(scene.run_until([&] { return scene.client.answered; }));
  CHECK(scene.client.status == "413");
}

TEST_CASE("HTTP/2: a client that ends its request after the refusal is not reset") {
  StreamScene scene;
  StreamingClient& client = scene.client;
  client.begin_request();
  CHECK(scene.run_until([&] { return client.answered && client.sent > kManyWindows; }));
  client.ends = true;
  CHECK(scene.run_until([&] { return client.closed; }));
  CHECK_FALSE(client.reset.has_value());
  CHECK(scene.services.sessions.streams() == 0);
}

TEST_CASE("HTTP/2: after a refusal a client may not send more than linger_bytes") {
  StreamScene scene(100'000);
  scene.client.begin_request();
  CHECK(scene.run_until([&] { return scene.client.closed; }));
  CHECK(scene.client.answered);
  CHECK(scene.client.reset == std::uint32_t{NGHTTP2_NO_ERROR});
}

TEST_CASE("HTTP/2: a stop waits for a stream that lingers until it is reset") {
  StreamScene scene;
  StreamingClient& client = scene.client;
  client.begin_request();
  CHECK(scene.run_until([&] { return client.answered; }));
  scene.services.sessions.drain();
  CHECK(scene.run_until([&] { return client.sent > kManyWindows; }));
  scene.watchdog.tick(scene.began + scene.services.options.linger_time +
                      scene.watchdog.tick_length());
  CHECK(scene.loop.run_until([&] {
    client.step();
    return *scene.ended;
  }));
  CHECK(client.reset == std::uint32_t{NGHTTP2_NO_ERROR});
}

}  // namespace invlog::capture

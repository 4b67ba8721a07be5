// A service that speaks HTTP/2, frame by frame: what it may do with a connection and its streams,
// and what of that a client notices.
#include <algorithm>
#include <functional>
#include <memory>

#include "agent/proxy/certificate_authority.h"
#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_bridge.h"
#include "tests/integration/tls_server.h"
#include "tests/integration/tls_upstream.h"

namespace invlog::test {
namespace {

constexpr std::size_t kAgentsWindow = 256 * 1024;  // for each stream of an upstream's

std::string number32(std::uint32_t number) {
  std::string bytes;
  for (const int shift : {24, 16, 8, 0})
    bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

std::uint32_t number_in(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes)
    number = number << 8 | static_cast<unsigned char>(byte);
  return number;
}

// The server's side of one connection of the agent's, on the thread of its script.
class FrameServer {
 public:
  FrameServer(const ServerCertificate& certificate, LoopbackSocket& socket)
      : connection_(certificate, socket) {
    connection_.offer_http2();
    open_ = connection_.handshake() && connection_.read_exactly(24).size() == 24;
    // The agent's windows hold once its SETTINGS are acknowledged.
    send(NGHTTP2_SETTINGS, 0, 0, "");
    send(NGHTTP2_SETTINGS, NGHTTP2_FLAG_ACK, 0, "");
  }

  void send(std::uint8_t type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
    connection_.send(http2_frame(type, flags, stream, payload));
  }
  void send_body(std::uint32_t stream, std::size_t bytes, bool end) {
    constexpr std::size_t kFrame = 16 * 1024;
    for (; bytes > 0; bytes -= std::min(bytes, kFrame)) {
      const bool last = end && bytes <= kFrame;
      send(NGHTTP2_DATA, last ? NGHTTP2_FLAG_END_STREAM : 0, stream,
           std::string(std::min(bytes, kFrame), 'x'));
    }
  }
  void begin_answer(std::uint32_t stream) {
    send(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, stream,
         hpack({{":status", "200"}, {"content-type", "application/octet-stream"}}));
  }
  // No request after this stream's will be taken.
  void send_goaway(std::uint32_t last_stream) {
    send(NGHTTP2_GOAWAY, 0, 0, number32(last_stream) + number32(NGHTTP2_NO_ERROR));
  }

  // The next stream whose request has come to its end; 0 the connection's end.
  std::uint32_t read_request() {
    while (read_frame()) {
      const bool ends = (flags_ & NGHTTP2_FLAG_END_STREAM) != 0;
      if (ends && (type_ == NGHTTP2_HEADERS || type_ == NGHTTP2_DATA))
        return stream_;
    }
    return 0;
  }
  // Until this stream's window has been opened further by so much; false: the connection ended.
  bool wait_for_window(std::uint32_t stream, std::size_t bytes) {
    std::size_t opened = 0;
    while (opened < bytes && read_frame()) {
      if (type_ == NGHTTP2_WINDOW_UPDATE && stream_ == stream)
        opened += number_in(payload_);
    }
    return opened >= bytes;
  }
  void wait_for_end() {
    while (read_frame()) {
    }
  }

 private:
  bool read_frame() {
    const std::string head = open_ ? connection_.read_exactly(9) : std::string();
    if (head.size() < 9)
      return false;
    const std::string_view all = head;
    type_ = static_cast<std::uint8_t>(all[3]);
    flags_ = static_cast<std::uint8_t>(all[4]);
    stream_ = number_in(all.substr(5));
    payload_ = connection_.read_exactly(number_in(all.substr(0, 3)));
    return true;
  }

  TlsServerConnection connection_;
  bool open_ = false;
  std::uint8_t type_ = 0, flags_ = 0;
  std::uint32_t stream_ = 0;
  std::string payload_;
};

// An agent in proxy mode, and a client that reaches Bedrock through it, which is `script`.
class Http2Path {
 public:
  using Script = std::function<void(FrameServer&, int number)>;

  explicit Http2Path(Script script)
      : certificate_(std::string("DNS:") + kBedrockHost),
        upstream_([this, script = std::move(script)](LoopbackSocket& socket, int number) {
          FrameServer server(certificate_, socket);
          script(server, number);
        }) {
    make_authority(directory_.path());
    auto configuration = AgentFixture::configuration(std::string("https://") + kBedrockHost);
    configuration.state_dir = directory_.path();
    configuration.ca_bundle = certificate_.authority_file();
    configuration.idle_timeout = std::chrono::seconds(3);
    configuration.proxy.listen_port = 0;
    configuration.proxy.connect_host = "127.0.0.1";
    configuration.proxy.connect_port = upstream_.port();
    agent_ = std::make_unique<AgentFixture>(configuration, /*with_credentials=*/false);
    const std::string address = agent_->loop().proxy_address();
    bridge_ = std::make_unique<TlsBridge>(TlsBridge::To{
        static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))), kBedrockHost,
        proxy::CertificateAuthority::certificate_path(directory_.path()), "h2"});
    client_ = std::make_unique<Http2Client>(bridge_->port());
    client_->authority = kBedrockHost;
  }

  const Http2Client::Stream& call() { return client_->wait_for(client_->post(kConverse, "{}")); }
  AgentFixture& agent() { return *agent_; }
  int connections() const { return upstream_.connections(); }

 private:
  tests::TemporaryDirectory directory_;
  ServerCertificate certificate_;
  ScriptedUpstream upstream_;
  std::unique_ptr<AgentFixture> agent_;
  std::unique_ptr<TlsBridge> bridge_;
  std::unique_ptr<Http2Client> client_;
};

}  // namespace

TEST_CASE("HTTP/2 upstream: an answer under way comes whole after GOAWAY, then another connection",
          "[proxy]") {
  constexpr std::size_t kRest = kAgentsWindow / 4;
  Http2Path path([](FrameServer& server, int) {
    const std::uint32_t stream = server.read_request();
    server.begin_answer(stream);
    server.send_goaway(stream);
    server.send_body(stream, kAgentsWindow, false);
    if (server.wait_for_window(stream, kRest))
      server.send_body(stream, kRest, true);
    server.wait_for_end();
  });
  for (int number = 1; number <= 2; ++number) {
    const Http2Client::Stream& answer = path.call();
    CHECK(answer.ended);
    CHECK(answer.body.size() == kAgentsWindow + kRest);
    CHECK(path.connections() == number);
  }
  for (const auto& record : path.agent().sink().wait_for(2))
    CHECK(record.outcome == "complete");
}

TEST_CASE("HTTP/2 upstream: a request that a kept connection did not take is sent again, once",
          "[proxy]") {
  const bool by_goaway = GENERATE(true, false);
  const bool taken_then = GENERATE(true, false);
  Http2Path path([=](FrameServer& server, int number) {
    const auto answer_one = [&] {
      const std::uint32_t stream = server.read_request();
      server.begin_answer(stream);
      server.send_body(stream, 100, true);
    };
    const auto refuse_one = [&](std::uint32_t stream) {
      if (by_goaway && stream > 1) {
        server.send_goaway(stream - 2);
      } else {
        server.send(NGHTTP2_RST_STREAM, 0, stream, number32(NGHTTP2_REFUSED_STREAM));
      }
    };
    if (number == 0)
      answer_one();
    if (number > 0 && taken_then) {
      answer_one();
    } else if (const std::uint32_t stream = server.read_request(); stream != 0) {
      refuse_one(stream);
    }
    server.wait_for_end();
  });
  CHECK(path.call().status == 200);
  const Http2Client::Stream& second = path.call();
  CHECK(second.status == (taken_then ? 200 : 502));
  CHECK(path.connections() == 2);
  const auto records = path.agent().sink().wait_for(2);
  REQUIRE(records.size() == 2);
  CHECK(records[1].outcome == (taken_then ? "complete" : "upstream-closed"));
  CHECK(records[1].request.bytes == "{}");
  CHECK(path.agent().statistics().upstream_errors == (taken_then ? 0 : 1));
}

TEST_CASE("HTTP/2 upstream: a request that may have been taken is not sent again", "[proxy]") {
  Http2Path path([](FrameServer& server, int) {
    const std::uint32_t first = server.read_request();
    server.begin_answer(first);
    server.send_body(first, 100, true);
    if (const std::uint32_t second = server.read_request(); second != 0)
      server.send(NGHTTP2_RST_STREAM, 0, second, number32(NGHTTP2_INTERNAL_ERROR));
    server.wait_for_end();
  });
  CHECK(path.call().status == 200);
  CHECK(path.call().status == 502);
  CHECK(path.connections() == 1);
}

}  // namespace invlog::test

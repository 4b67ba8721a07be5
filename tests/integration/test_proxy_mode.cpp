// Proxy mode: what is intercepted, and that it goes on as it came.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <functional>
#include <future>

#include "agent/proxy/certificate_authority.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_bridge.h"
#include "tests/integration/tls_upstream.h"

namespace invlog::test {
namespace {

using capture::Exchange;
using capture::ResponseHead;
using capture::Task;
using tests::contains;

constexpr const char* kBothWays =
    "/model/amazon.nova-2-sonic-v1%3A0/invoke-with-bidirectional-stream";
constexpr const char* kSigned =
    "AWS4-HMAC-SHA256 Credential=AKIAAPPLICATION/20260411/eu-central-1/bedrock/aws4_request, "
    "SignedHeaders=host, Signature=5ec4e7";

ResponseHead head_of(std::size_t length) {
  ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.headers = {{"x-amzn-requestid", "request-1"},
                  {"content-type", "application/json"},
                  {"Content-Length", std::to_string(length)}};
  head.body = ResponseHead::Body::length;
  return head;
}

// Answers with the body that came, and notes the request.
struct Echo {
  std::mutex mutex;
  std::vector<capture::RequestHead> requests;
  capture::ExchangeHandler handler() {
    return [this](Exchange& exchange) -> Task<void> {
      {
        const std::lock_guard lock(mutex);
        requests.push_back(exchange.request());
      }
      std::string body;
      if (co_await exchange.read_body(body, 64u << 20) == capture::BodyRead::complete) {
        const ResponseHead head = head_of(body.size());
        co_await exchange.start_response(head, body, true);
      }
    };
  }
};

// Gives back each piece as it comes.
Task<void> give_back_pieces(Exchange& exchange) {
  ResponseHead head;
  head.status = 200;
  head.headers = {{"content-type", "text/plain"}};
  bool there = co_await exchange.start_response(head, {}, false);
  capture::PieceRead read = capture::PieceRead::more;
  while (there && read == capture::PieceRead::more) {
    std::string piece;
    read = co_await exchange.read_some_body(piece);
    if (!piece.empty())
      there = co_await exchange.continue_response(piece, false, {});
  }
  if (there && read == capture::PieceRead::last)
    co_await exchange.continue_response({}, true, {});
}

class ProxyFixture {
 public:
  explicit ProxyFixture(
      capture::ExchangeHandler handler, config::ProxyConfig proxy = {}, bool trusted = true,
      aws::Environment environment = [](const char*) { return std::optional<std::string>(); },
      const std::function<void(config::AgentConfig&)>& change = {},
      std::chrono::milliseconds stop_limit = std::chrono::seconds(3))
      : upstream_(std::move(handler)) {
    make_authority(directory_.path());
    auto configuration = AgentFixture::configuration(std::string("https://") + kBedrockHost);
    configuration.state_dir = directory_.path();
    configuration.ca_bundle = trusted ? upstream_.authority_file() : authority_file();
    proxy.listen_port = 0;
    proxy.connect_host = "127.0.0.1";
    proxy.connect_port = upstream_.port();
    configuration.proxy = proxy;
    if (change)
      change(configuration);
    agent_ = std::make_unique<AgentFixture>(configuration, /*with_credentials=*/false,
                                            std::move(environment), stop_limit);
    const std::string address = agent_->loop().proxy_address();
    proxy_port_ = static_cast<std::uint16_t>(std::stoi(address.substr(address.rfind(':') + 1)));
  }
  std::string authority_file() const {
    return proxy::CertificateAuthority::certificate_path(directory_.path());
  }
  TlsBridge::To to(const std::string& protocol) const {
    return {proxy_port_, kBedrockHost, authority_file(), protocol};
  }
  std::uint16_t proxy_port() const { return proxy_port_; }
  AgentFixture& agent() { return *agent_; }
  FakeSink& sink() { return agent_->sink(); }

 private:
  tests::TemporaryDirectory directory_;
  TlsUpstream upstream_;
  std::unique_ptr<AgentFixture> agent_;
  std::uint16_t proxy_port_ = 0;
};

std::string signed_post(std::string_view target, std::string_view body,
                        const std::string& host = kBedrockHost) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: " + host +
         "\r\nAUTHORIZATION: " + kSigned +
         "\r\nX-Amz-Date: 20260411T101112Z\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

HeaderList signed_headers() {
  return {{"authorization", kSigned}, {"x-amz-date", "20260411T101112Z"}};
}

std::string text_of(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t at = 0; at < size; ++at)
    text[at] = static_cast<char>('a' + (at * 7919 >> 5) % 26);
  return text;
}

aws::Environment with_company_proxy(const std::string& url) {
  return [url](const char* name) {
    return std::string(name) == "HTTPS_PROXY" ? std::optional(url) : std::nullopt;
  };
}

// What a CONNECT is answered.
std::string connect_answer(ProxyFixture& fixture, const std::string& target) {
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send("CONNECT " + target + " HTTP/1.1\r\nHost: x\r\n\r\n");
  const HttpResponse response = read_response(client);
  return response.head + "\r\n" + response.body;
}

// A socket as the service manager hands it over, and where it listens.
struct ServiceSocket {
  ServiceSocket() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(descriptor, generic, size) == 0);
    REQUIRE(::listen(descriptor, 5) == 0);
    REQUIRE(::getsockname(descriptor, generic, &size) == 0);
    port = ntohs(address.sin_port);
  }

  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);  // its user closes it
  std::uint16_t port = 0;
};

}  // namespace

TEST_CASE("proxy: a call goes on with its own signature, and is on record", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  for (const std::string& body : {std::string("{}"), text_of(700'000)}) {
    std::thread sender([&] { client.send(signed_post(kConverse, body)); });
    const HttpResponse response = read_response(client);
    sender.join();
    CHECK(response.status == 200);
    CHECK((response.body == body));
  }
  const auto records = fixture.sink().wait_for(2);
  REQUIRE(records.size() == 2);
  CHECK(records[0].outcome == "complete");
  CHECK(records[0].request.bytes == "{}");
  CHECK(records[0].identity_arn == "");
  CHECK(contains(records[0].details, R"("accessKeyId":"AKIAAPPLICATION")"));
  CHECK_FALSE(records[0].details.find("5ec4e7") != std::string::npos);
  const std::lock_guard lock(echo.mutex);
  REQUIRE(echo.requests.size() == 2);
  CHECK(echo.requests[0].headers[1] == capture::Header{"AUTHORIZATION", kSigned});
  CHECK(echo.requests[0].target == kConverse);
}

TEST_CASE("proxy: a response passes as received, whatever its form", "[proxy]") {
  const std::string raw =
      "HTTP/1.1 299 Odd  Reason\r\nx-ODD:value\r\ntransfer-encoding: chunked\r\n\r\n";
  const std::string body = "3;ext=1\r\nabc\r\n01\r\nd\r\n0\r\nX-Trailer: 1\r\n\r\n";
  ProxyFixture fixture([&](Exchange& exchange) -> Task<void> {
    std::string ignored;
    co_await exchange.read_body(ignored, 1000);
    ResponseHead head;
    head.raw = raw;
    const std::string_view all = body;
    if (co_await exchange.start_response(head, all.substr(0, 11), false))
      co_await exchange.continue_response(all.substr(11), true, {});
  });
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kConverse, "{}"));
  CHECK(client.read_exactly(raw.size() + body.size()) == raw + body);
  const auto records = fixture.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].response.bytes == "abcd");
  CHECK(records[0].status == 299);
}

TEST_CASE("proxy: HTTP/2 goes on as HTTP/2, many calls at once", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const HeaderList headers = signed_headers();
  std::vector<std::pair<std::int32_t, std::string>> calls;
  for (const std::size_t size : {2u, 300'000u, 20'000u, 700'000u}) {
    const std::string body = text_of(size);
    calls.emplace_back(client.post(kConverse, body, headers), body);
  }
  for (const auto& [id, body] : calls) {
    const Http2Client::Stream& stream = client.wait_for(id);
    CHECK(stream.status == 200);
    CHECK((stream.body == body));
  }
  // A connection that was kept.
  CHECK(client.wait_for(client.post(kConverse, "{}", headers)).status == 200);
  CHECK(fixture.sink().wait_for(5).size() == 5);
  const std::lock_guard lock(echo.mutex);
  REQUIRE(echo.requests.size() == 5);
  CHECK(echo.requests[0].authority == kBedrockHost);
  CHECK(capture::find_header(echo.requests[0].headers, "authorization") == kSigned);
}

TEST_CASE("proxy: strict: a connection that is used again while its last call waits for its commit",
          "[proxy]") {
  FakeSink* sink = nullptr;
  std::promise<void> first_answered;
  ProxyFixture fixture(
      [&](Exchange& exchange) -> Task<void> {
        std::string body;
        co_await exchange.read_body(body, 1000);
        if (body == "first") {
          sink->hold_commits();
        } else {
          sink->release_commits();
          first_answered.get_future().wait_for(std::chrono::seconds(20));
        }
        const ResponseHead head = head_of(body.size());
        co_await exchange.start_response(head, body, true);
      },
      {}, true, [](const char*) { return std::optional<std::string>(); },
      [](config::AgentConfig& change) { change.durability = config::Durability::strict; });
  sink = &fixture.sink();
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const HeaderList headers = signed_headers();
  const std::int32_t first = client.post(kConverse, "first", headers);
  while (sink->commits_waiting() == 0)
    std::this_thread::yield();
  sink->hold_no_more();
  const std::int32_t second = client.post(kConverse, "second", headers);
  CHECK(client.wait_for(first).body == "first");
  first_answered.set_value();
  CHECK(client.wait_for(second).body == "second");
}

TEST_CASE("proxy: HTTP/2 with a Host in place of :authority", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = "";
  HeaderList headers = signed_headers();
  const std::string host = GENERATE(std::string(kBedrockHost), std::string("other.amazonaws.com"));
  headers.emplace_back("host", host);
  const bool fits = host == kBedrockHost;
  const Http2Client::Stream& stream =
      client.wait_for(client.request("POST", kConverse, "{}", headers));
  CHECK(stream.status == (fits ? 200 : 421));
  const std::lock_guard lock(echo.mutex);
  REQUIRE(echo.requests.size() == (fits ? 1u : 0u));
  if (fits)
    CHECK(echo.requests[0].authority == kBedrockHost);
}

TEST_CASE("proxy: a bidirectional stream is answered while it is sent", "[proxy]") {
  ProxyFixture fixture(give_back_pieces);
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const std::int32_t id = client.post(kBothWays, "first", signed_headers(), false);
  CHECK(client.wait_for_body(id, 5));
  const std::string large = text_of(900'000);
  client.send_body(id, large, false);
  CHECK(client.wait_for_body(id, 5 + large.size()));
  client.send_body(id, "last", true);
  const Http2Client::Stream& stream = client.wait_for(id);
  CHECK(stream.ended);
  CHECK((stream.body == "first" + large + "last"));
  const auto records = fixture.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].operation == "InvokeModelWithBidirectionalStream");
  CHECK(records[0].outcome == "complete");
}

TEST_CASE("proxy: a bidirectional stream that its client leaves ends, and is on record",
          "[proxy]") {
  ProxyFixture fixture(give_back_pieces);
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const std::int32_t id = client.post(kBothWays, "first", signed_headers(), false);
  CHECK(client.wait_for_body(id, 5));
  client.reset(id);
  const auto records = fixture.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
  // The connection goes on.
  CHECK(client.round_trip());
}

TEST_CASE("proxy: what a bidirectional stream's host does not take is counted", "[proxy]") {
  ProxyFixture fixture([](Exchange& exchange) -> Task<void> {
    capture::Event gone;
    exchange.when_client_gone([&gone] { gone.set(); });
    const ResponseHead head = head_of(2);
    if (co_await exchange.start_response(head, "{", false))
      co_await gone.wait();
  });
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const std::int32_t id = client.post(kBothWays, "first", signed_headers(), false);
  CHECK(client.wait_for_body(id, 1));
  client.send_body(id, text_of(200'000), false);
  for (int round = 0; round < 8; ++round)
    REQUIRE(client.round_trip());
  // All of it waits in the agent or is copied there.
  CHECK(client.body_sent(id) > 32 * 1024);
  CHECK(fixture.agent().body_bytes() >= client.body_sent(id));
  client.reset(id);
  CHECK(fixture.sink().wait_for(1).size() == 1);
  CHECK(client.round_trip());
  CHECK(fixture.agent().body_bytes() == 0);
}

TEST_CASE("proxy: a bidirectional stream that the host cuts ends for the client, too", "[proxy]") {
  ProxyFixture fixture([](Exchange& exchange) -> Task<void> {
    ResponseHead head;
    head.status = 200;
    co_await exchange.start_response(head, "part", false);
    std::string piece;
    co_await exchange.read_some_body(piece);
    exchange.abort();
  });
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const std::int32_t id = client.post(kBothWays, "first", signed_headers(), false);
  const Http2Client::Stream& stream = client.wait_for(id);
  CHECK(stream.reset_code.has_value());
  const auto records = fixture.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "upstream-closed");
  CHECK(contains(records[0].details, "reset the stream"));
}

TEST_CASE("proxy: a host that answers a bidirectional stream at once need not hear it out",
          "[proxy]") {
  ProxyFixture fixture([](Exchange& exchange) -> Task<void> {
    exchange.leave_body();
    const ResponseHead head = head_of(2);
    co_await exchange.start_response(head, "{}", true);
  });
  TlsBridge bridge(fixture.to("h2"));
  Http2Client client(bridge.port());
  client.authority = kBedrockHost;
  const std::int32_t id = client.post(kBothWays, "first", signed_headers(), false);
  const Http2Client::Stream& stream = client.stream(id);
  CHECK(client.run_until([&] { return stream.ended; }));
  CHECK(stream.body == "{}");
  const auto records = fixture.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "complete");
}

TEST_CASE("proxy: bidirectional streams need HTTP/2 and proxy mode", "[proxy]") {
  ProxyFixture fixture(give_back_pieces);
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kBothWays, "{}"));
  const HttpResponse refused = read_response(client);
  CHECK(refused.status == 400);
  CHECK(contains(refused.body, "needs HTTP/2"));
  Http2Client endpoint(fixture.agent().port());
  const Http2Client::Stream& stream = endpoint.wait_for(endpoint.post(kBothWays, "{}"));
  CHECK(stream.status == 400);
  CHECK(contains(stream.body, "proxy mode"));
}

TEST_CASE("proxy: an upstream that is not trusted is a 502 in AWS's shape", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler(), {}, /*trusted=*/false);
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 502);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(contains(response.body, kBedrockHost));
  CHECK(fixture.sink().wait_for(1).size() == 1);
  const std::lock_guard lock(echo.mutex);
  CHECK(echo.requests.empty());
}

TEST_CASE("proxy: the request's Host must be the connection's", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kConverse, "{}", "bedrock-runtime.us-east-1.amazonaws.com"));
  CHECK(read_response(client).status == 421);
  const std::lock_guard lock(echo.mutex);
  CHECK(echo.requests.empty());
}

TEST_CASE("proxy: a body whose end the host might see elsewhere goes nowhere", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  const std::string more = GENERATE(std::string("Transfer-Encoding: chunked;q=1\r\n"),
                                    std::string("Transfer-Encoding: gzip, chunked\r\n"),
                                    std::string("Host: other\r\nTransfer-Encoding: chunked\r\n"));
  INFO(more);
  TlsBridge bridge(fixture.to("http/1.1"));
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send("POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: " + kBedrockHost + "\r\n" +
              more + "\r\n2\r\n{}\r\n0\r\n\r\n");
  const HttpResponse refused = read_response(client);
  CHECK(refused.status == 400);
  CHECK(refused.header("x-amzn-ErrorType") == "ValidationException");
  const std::lock_guard lock(echo.mutex);
  CHECK(echo.requests.empty());
}

TEST_CASE("proxy: a hello for another name than CONNECT's is refused", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  TlsBridge::To to = fixture.to("http/1.1");
  to.name = "example.com";
  TlsBridge bridge(to);
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  CHECK(client.sees_end());
  CHECK(contains(bridge.problem(), "unrecognized name"));
  CHECK(fixture.agent().statistics().proxy.tls_failed == 1);
}

TEST_CASE("proxy: without CONNECT the hello's name decides", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler(), {"127.0.0.1", 0, config::OtherHosts::refuse, {}, {}, "", 0});
  TlsBridge::To to = fixture.to("http/1.1");
  to.by_connect = false;
  {
    TlsBridge bridge(to);
    LoopbackSocket client = LoopbackSocket::connect(bridge.port());
    client.send(signed_post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
  }
  to.name = "bedrock-runtime.us-east-1.amazonaws.com";
  TlsBridge bridge(to);
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  CHECK(client.sees_end());
  CHECK(contains(bridge.problem(), "unrecognized name"));
  CHECK(contains(fixture.sink().events().at(0), "other-region"));
}

TEST_CASE(
    "proxy: without CONNECT, who waits for a tunnel counts as a connection, and a stop cuts it",
    "[proxy]") {
  Echo echo;
  ScriptedUpstream company([](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.sees_end(std::chrono::seconds(30));
  });
  ProxyFixture fixture(
      echo.handler(), {}, true,
      with_company_proxy("http://127.0.0.1:" + std::to_string(company.port())),
      [](config::AgentConfig& change) {
        change.clients.max_connections = 1;
        change.connect_timeout = std::chrono::seconds(60);
      },
      std::chrono::milliseconds(50));
  TlsBridge::To to = fixture.to("http/1.1");
  to.name = "example.com";
  to.by_connect = false;
  TlsBridge bridge(to);
  LoopbackSocket waiting = LoopbackSocket::connect(bridge.port());
  while (company.connections() == 0)
    std::this_thread::yield();
  LoopbackSocket other = LoopbackSocket::connect(fixture.proxy_port());
  other.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  CHECK(contains(read_response(other).body, "max_connections"));
  fixture.agent().begin_stop();
  CHECK(waiting.sees_end());
  fixture.agent().join();
}

TEST_CASE("proxy: CONNECT to an address whose server name is Bedrock's is intercepted", "[proxy]") {
  Echo echo;
  ScriptedUpstream company([](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\n\r\n");
    socket.sees_end();
  });
  ProxyFixture fixture(echo.handler(), {}, true,
                       with_company_proxy("http://127.0.0.1:" + std::to_string(company.port())));
  TlsBridge::To to = fixture.to("http/1.1");
  to.host = "192.0.2.7";
  to.name = kBedrockHost;
  TlsBridge bridge(to);
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
  CHECK(company.connections() == 1);
  CHECK(fixture.sink().wait_for(1).size() == 1);
  const capture::ProxyCounts counts = fixture.agent().statistics().proxy;
  CHECK(counts.intercepted == 1);
  CHECK(counts.tunnels == 0);
}

TEST_CASE("proxy: CONNECT to an address does not get past a refusal of its server name",
          "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  ScriptedUpstream far([](LoopbackSocket& socket, int) { socket.sees_end(); });
  TlsBridge::To to = fixture.to("http/1.1");
  to.host = "127.0.0.1";
  to.port = far.port();
  // Another Region's, and the Region's own at another port than 443.
  to.name =
      GENERATE(std::string("bedrock-runtime.us-east-1.amazonaws.com"), std::string(kBedrockHost));
  TlsBridge bridge(to);
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  CHECK(client.sees_end());
  CHECK(contains(bridge.problem(), "unrecognized name"));
  while (far.connections() == 0)  // it may be accepted after the agent has closed it
    std::this_thread::yield();
  CHECK(far.connections() == 1);
  CHECK(fixture.agent().statistics().proxy.refused == 1);
  const auto events = fixture.sink().events();
  REQUIRE(events.size() == 1);
  CHECK(contains(events[0], "server-name"));
  CHECK(contains(events[0], to.name));
  CHECK(contains(events[0], "behind CONNECT 127.0.0.1:" + std::to_string(far.port())));
}

TEST_CASE("proxy: a tunnel passes on TLS for another name than CONNECT's", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  std::promise<std::string> heard;
  ScriptedUpstream far([&](LoopbackSocket& socket, int) {
    heard.set_value(socket.read_until("front.example.com"));
  });
  TlsBridge::To to = fixture.to("http/1.1");
  to.host = "127.0.0.1";
  to.port = far.port();
  to.name = "front.example.com";
  TlsBridge bridge(to);
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  CHECK(client.sees_end());
  CHECK(heard.get_future().get().starts_with("\x16\x03"));
  CHECK(fixture.sink().events().empty());
}

TEST_CASE("proxy: behind CONNECT a server may speak first, and a hello must not be slow",
          "[proxy]") {
  Echo echo;
  ProxyFixture fixture(
      echo.handler(), {}, true, [](const char*) { return std::optional<std::string>(); },
      [](config::AgentConfig& change) {
        change.clients.header_timeout = std::chrono::milliseconds(500);
      });
  ScriptedUpstream far([](LoopbackSocket& socket, int number) {
    if (number > 0) {
      socket.sees_end();
      return;
    }
    socket.send("SSH-2.0-server\r\n");
    socket.send("heard " + socket.read_until("\n"));
  });
  const std::string connect =
      "CONNECT 127.0.0.1:" + std::to_string(far.port()) + " HTTP/1.1\r\n\r\n";
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send(connect);
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  CHECK(client.read_until("\r\n") == "SSH-2.0-server\r\n");
  client.send("hello\n");
  CHECK(client.read_to_end() == "heard hello\n");

  LoopbackSocket slow = LoopbackSocket::connect(fixture.proxy_port());
  slow.send(connect);
  CHECK(contains(slow.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  slow.send("\x16\x03\x01");
  CHECK(slow.sees_end());
  CHECK(fixture.agent().statistics().clients.slow_cut == 1);
}

TEST_CASE("proxy: what may not be reached is refused with an event", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler(), {"127.0.0.1", 0, config::OtherHosts::refuse, {}, {}, "", 0});
  CHECK(contains(connect_answer(fixture, "example.com:443"), "HTTP/1.1 403 Forbidden\r\n"));
  CHECK(contains(connect_answer(fixture, "bedrock-runtime.us-east-1.amazonaws.com:443"),
                 "AccessDeniedException"));
  CHECK(contains(connect_answer(fixture, std::string(kBedrockHost) + ".evil.test:443"), " 403 "));
  CHECK(contains(connect_answer(fixture, std::string(kBedrockHost) + ":80"), "port 443"));
  CHECK(contains(connect_answer(fixture, "no port"), " 400 "));
  CHECK(fixture.sink().events().size() == 4);
  CHECK(fixture.agent().statistics().proxy.refused == 4);
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send(post(kConverse, "{}"));
  CHECK(contains(read_response(client).body, "HTTPS_PROXY"));
}

TEST_CASE("proxy: other hosts are tunnelled blindly, and a side may end first", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  ScriptedUpstream far([](LoopbackSocket& socket, int) {
    const std::string asked = socket.read_to_end();
    socket.send("heard " + asked);
  });
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  const std::string text = text_of(300'000);
  // With the first bytes behind the CONNECT.
  client.send("CONNECT 127.0.0.1:" + std::to_string(far.port()) +
              " HTTP/1.1\r\nHost: x\r\n\r\n\x01\x02" + text);
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  client.shut_writing();
  CHECK(client.read_to_end() == "heard \x01\x02" + text);
  const capture::ProxyCounts counts = fixture.agent().statistics().proxy;
  CHECK(counts.tunnels == 1);
  CHECK(counts.tunnel_bytes == 2 * (text.size() + 2) + 6);
  CHECK(fixture.sink().records() == 0);
}

TEST_CASE("proxy: no tunnel leads to the agent itself or to an instance's credentials", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  const std::string endpoint = ":" + std::to_string(fixture.agent().port()),
                    proxy = ":" + std::to_string(fixture.proxy_port());
  for (const std::string& target :
       {"127.0.0.1" + endpoint, "127.0.0.1" + proxy, "127.9.9.9" + proxy, "localhost" + endpoint,
        "localhost." + proxy, "0.0.0.0" + endpoint, "[::ffff:127.0.0.1]" + endpoint,
        std::string("169.254.169.254:80"), std::string("[fd00:ec2::254]:80")}) {
    INFO(target);
    CHECK(contains(connect_answer(fixture, target), "HTTP/1.1 403 Forbidden\r\n"));
  }
  CHECK(fixture.agent().statistics().proxy.tunnels == 0);
  const auto events = fixture.sink().events();
  REQUIRE(events.size() == 9);
  CHECK(contains(events[0], "own-address"));
  CHECK(contains(events[7], "link-local"));
}

TEST_CASE("proxy: no tunnel leads to another port where the agent listens", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  ScriptedUpstream admin([](LoopbackSocket& socket, int) { socket.send("metrics"); });
  const std::string target = "127.0.0.1:" + std::to_string(admin.port());
  std::promise<void> added;
  boost::asio::post(fixture.agent().loop().context(), [&] {
    fixture.agent().loop().add_own_port(admin.port());
    added.set_value();
  });
  added.get_future().wait();
  CHECK(contains(connect_answer(fixture, target), "HTTP/1.1 403 Forbidden\r\n"));
  CHECK(admin.connections() == 0);
}

TEST_CASE("proxy: a server behind a company's proxy may speak first", "[proxy]") {
  Echo echo;
  ScriptedUpstream company([](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\n\r\nSSH-2.0-server\r\n");
    socket.send("heard " + socket.read_until("\n"));
  });
  const std::string url = "http://127.0.0.1:" + std::to_string(company.port());
  ProxyFixture fixture(echo.handler(), {}, true, with_company_proxy(url));
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send("CONNECT bedrock-mantle.eu-central-1.api.aws:443 HTTP/1.1\r\n\r\n");
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  CHECK(client.read_until("\r\n") == "SSH-2.0-server\r\n");
  client.send("hello\n");
  CHECK(client.read_to_end() == "heard hello\n");
  CHECK(fixture.agent().statistics().proxy.tunnel_bytes == 34);
  // Addresses are not the company's to resolve.
  CHECK(contains(connect_answer(fixture, "169.254.169.254:80"), " 403 "));
  const auto events = fixture.sink().events();
  REQUIRE(events.size() == 2);
  CHECK(contains(events[0], "bedrock-mantle"));
  CHECK(contains(events[1], "link-local"));
}

TEST_CASE("proxy: a tunnel takes much both ways at once, and a side that is gone ends it",
          "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  ScriptedUpstream far([](LoopbackSocket& socket, int) {
    for (std::string piece = socket.read_some(); !piece.empty(); piece = socket.read_some())
      socket.send(piece);
  });
  std::string text;  // before the far side waits for it
  for (int block = 0; block < 1000; ++block)
    text += std::to_string(block) + std::string(20'000, static_cast<char>('a' + block % 26));
  const std::string connect =
      "CONNECT 127.0.0.1:" + std::to_string(far.port()) + " HTTP/1.1\r\n\r\n";
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send(connect);
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  auto sending = std::async(std::launch::async, [&] { return client.send(text); });
  const std::string heard = client.read_exactly(text.size());
  CHECK(sending.get());
  CHECK((heard == text));

  LoopbackSocket other = LoopbackSocket::connect(fixture.proxy_port());
  other.send(connect);
  CHECK(contains(other.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  other.send(text.substr(0, 1000));
  CHECK(other.read_exactly(1000) == text.substr(0, 1000));
  other.reset();
  client.shut_writing();
  CHECK(client.sees_end());
}

TEST_CASE("proxy: a tunnel that leads nowhere is a 502, and an open one does not hold up a stop",
          "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  CHECK(contains(connect_answer(fixture, "127.0.0.1:1"), " 502 "));
  ScriptedUpstream far([](LoopbackSocket& socket, int) { socket.read_to_end(); });
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send("CONNECT 127.0.0.1:" + std::to_string(far.port()) + " HTTP/1.1\r\n\r\n");
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  fixture.agent().begin_stop();
  CHECK(client.sees_end());
  fixture.agent().join();
}

TEST_CASE("proxy: a socket of the service manager serves without a configured listener",
          "[proxy]") {
  Echo echo;
  TlsUpstream upstream(echo.handler());
  tests::TemporaryDirectory directory;
  make_authority(directory.path());
  // Endpoint mode's upstream is plain: TLS is proxy mode's alone.
  auto configuration = AgentFixture::configuration("http://127.0.0.1:1");
  configuration.state_dir = directory.path();
  configuration.ca_bundle = upstream.authority_file();
  configuration.proxy.listen_host = "";
  configuration.proxy.connect_host = "127.0.0.1";
  configuration.proxy.connect_port = upstream.port();
  const ServiceSocket socket;
  AgentFixture agent(configuration, false, [](const char*) { return std::optional<std::string>(); },
                     std::chrono::seconds(3), {socket.descriptor});
  TlsBridge bridge({socket.port, kBedrockHost,
                    proxy::CertificateAuthority::certificate_path(directory.path()), "http/1.1"});
  LoopbackSocket client = LoopbackSocket::connect(bridge.port());
  client.send(signed_post(kConverse, "{}"));
  CHECK(read_response(client).body == "{}");
  CHECK(agent.sink().wait_for(1).size() == 1);
}

TEST_CASE("proxy: an agent whose HTTPS_PROXY or upstream leads nowhere else does not start",
          "[proxy]") {
  tests::TemporaryDirectory directory;
  make_authority(directory.path());
  const std::string bedrock = std::string("https://") + kBedrockHost;
  const ServiceSocket socket, other;
  const std::string port = std::to_string(socket.port);
  // Why not; "" it started.
  const auto problem = [&](const std::string& upstream, const std::string& proxy, int listening) {
    auto configuration = AgentFixture::configuration(upstream);
    configuration.state_dir = directory.path();
    try {
      AgentFixture agent(configuration, false, with_company_proxy(proxy), std::chrono::seconds(3),
                         {::dup(listening)});
      return std::string();
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
  };
  CHECK(contains(problem(bedrock, "http://localhost:" + port, socket.descriptor),
                 "HTTPS_PROXY is this agent itself (127.0.0.1:" + port + ")"));
  CHECK(contains(problem(bedrock, "127.0.0.1:" + port, socket.descriptor), "this agent itself"));
  CHECK(problem(bedrock, "http://127.0.0.1:" + port, other.descriptor) == "");
  // Nor where the upstream is reached without it: the hosts of proxy mode are not.
  CHECK(contains(problem("http://127.0.0.1:1", "https://127.0.0.1:8443", other.descriptor),
                 "HTTPS_PROXY: expected http://"));
  CHECK(problem("http://127.0.0.1:1", "", other.descriptor) == "");
  const std::string itself = "http://localhost:" + port;
  CHECK(contains(problem(itself, "", socket.descriptor),
                 "upstream " + itself + " is this agent itself (127.0.0.1:" + port + ")"));
  CHECK(problem(itself, "", other.descriptor) == "");
  for (const char* host : {"127.0.0.1", "127.1", "0.0.0.0"})
    CHECK(contains(problem("http://" + std::string(host) + ":" + port, "", socket.descriptor),
                   "is this agent itself"));
  for (const char* host : {"127.0.0.2", "[::1]"})  // other addresses, of other programs
    CHECK(problem("http://" + std::string(host) + ":" + port, "", socket.descriptor) == "");
  ::close(socket.descriptor);
  ::close(other.descriptor);
}

TEST_CASE("proxy: a client that speaks no TLS behind CONNECT is told so", "[proxy]") {
  Echo echo;
  ProxyFixture fixture(echo.handler());
  LoopbackSocket client = LoopbackSocket::connect(fixture.proxy_port());
  client.send(std::string("CONNECT ") + kBedrockHost + ":443 HTTP/1.1\r\n\r\n");
  CHECK(contains(client.read_until("\r\n\r\n"), "HTTP/1.1 200 "));
  client.send(signed_post(kConverse, "{}"));
  CHECK(contains(read_response(client).body, "only https"));
}

}  // namespace invlog::test

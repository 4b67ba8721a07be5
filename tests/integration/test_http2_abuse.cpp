// Frames that break HTTP/2's rules, or keep to them and ask for too much: the connection ends, the
// agent goes on, and what it does for such a client is bounded.
#include <poll.h>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

constexpr std::uint8_t kWholeRequest = NGHTTP2_FLAG_END_HEADERS | NGHTTP2_FLAG_END_STREAM;

std::string request_frame(std::uint32_t stream, const HeaderList& headers) {
  return http2_frame(NGHTTP2_HEADERS, kWholeRequest, stream, hpack(headers));
}

std::string reset_frame(std::uint32_t stream) {
  return http2_frame(NGHTTP2_RST_STREAM, 0, stream, std::string_view("\0\0\0\x8", 4));
}

void check_alive(AgentFixture& agent) {
  Http2Client client(agent.port());
  CHECK(client.wait_for(client.post(kConverse, "{}")).status == 200);
}

// Whether the agent ends the connection; what it says before that is read.
bool ends(LoopbackSocket& socket) {
  while (!socket.read_some().empty()) {
  }
  return socket.sees_end(std::chrono::milliseconds(0));
}

// Whether the agent has ended the connection, whatever is still to be read from it.
bool hung_up(const LoopbackSocket& socket) {
  pollfd state{socket.descriptor(), POLLRDHUP, 0};
  return ::poll(&state, 1, 0) == 1;
}

}  // namespace

TEST_CASE("HTTP/2: what breaks the protocol ends the connection, never the agent") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  const std::string opening = http2_opening();
  const std::pair<const char*, std::string> cases[] = {
      {"no SETTINGS first",
       "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(NGHTTP2_PING, 0, 0, std::string(8, 'x'))},
      {"a preface that goes wrong", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX" + std::string(20, 'x')},
      {"DATA on an idle stream", opening + http2_frame(NGHTTP2_DATA, 0, 1, "x")},
      {"HEADERS on an even stream", opening + request_frame(2, http2_post_headers("/x"))},
      {"HEADERS on stream 0", opening + request_frame(0, http2_post_headers("/x"))},
      {"a frame over the size limit",
       opening + http2_frame(NGHTTP2_DATA, 0, 1, std::string(20000, 'x'))},
      {"an HPACK index that is not there",
       opening + http2_frame(NGHTTP2_HEADERS, kWholeRequest, 1, "\xff\xff\xff\x7f")},
      {"CONTINUATION out of nowhere", opening + http2_frame(NGHTTP2_CONTINUATION, 4, 1, "x")},
      {"a frame inside a header block",
       opening + http2_frame(NGHTTP2_HEADERS, 0, 1, hpack(http2_post_headers("/x"))) +
           http2_frame(NGHTTP2_PING, 0, 0, std::string(8, 'x'))},
      {"WINDOW_UPDATE of nothing",
       opening + http2_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string(4, '\0'))},
      {"SETTINGS of the wrong length", opening + http2_frame(NGHTTP2_SETTINGS, 0, 0, "12345")},
      {"an initial window over 2^31-1",
       opening + http2_frame(NGHTTP2_SETTINGS, 0, 0, std::string_view("\0\x4\xff\xff\xff\xff", 6))},
      {"more body than the window", opening +
                                        http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1,
                                                    hpack(http2_post_headers("/x"))) +
                                        [] {
                                          // One stream's bytes, never given back: no
                                          // content-length, no end.
                                          std::string frames;
                                          for (int frame = 0; frame < 400; ++frame)
                                            frames += http2_frame(NGHTTP2_DATA, 0, 3,
                                                                  std::string(16384, 'x'));
                                          return frames;
                                        }()},
      {"PUSH_PROMISE from a client",
       opening + http2_frame(NGHTTP2_PUSH_PROMISE, 4, 1, std::string(4, '\2'))},
  };
  for (const auto& [name, bytes] : cases) {
    INFO(name);
    LoopbackSocket socket = agent.connect();
    socket.send(bytes);
    CHECK(ends(socket));
  }
  CHECK(upstream.connections() == 0);
  check_alive(agent);
}

TEST_CASE("HTTP/2: requests that break HTTP's rules are reset, and never go upstream") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  const auto with = [](HeaderList more) {
    HeaderList headers = http2_post_headers(kConverse);
    headers.insert(headers.end(), more.begin(), more.end());
    return headers;
  };
  const std::pair<const char*, HeaderList> cases[] = {
      {"a line end in a value", with({{"x-header", "a\r\nX-Other: b"}})},
      {"a line end in a name", with({{"x-header\r\nx-other", "b"}})},
      {"a line end in the path", http2_post_headers("/x HTTP/1.1\r\nX-Other: b")},
      {"a space in the path", http2_post_headers("/x HTTP/1.1")},
      {"a path that is none", http2_post_headers("x")},
      {"an empty path", http2_post_headers("")},
      {"a space in the method",
       {{":method", "POST /y"}, {":scheme", "http"}, {":authority", "x"}, {":path", "/x"}}},
      {"no method", {{":scheme", "http"}, {":authority", "x"}, {":path", "/x"}}},
      {"two paths", with({{":path", "/y"}})},
      {"an upper-case name", with({{"X-Header", "b"}})},
      {"a connection header", with({{"connection", "close"}})},
      {"a transfer coding", with({{"transfer-encoding", "chunked"}})},
      {"a length that is none", with({{"content-length", "1x"}})},
      {"two lengths", with({{"content-length", "0"}, {"content-length", "1"}})},
      {"a length without its body", with({{"content-length", "5"}})},
      {"CONNECT", {{":method", "CONNECT"}, {":authority", "example.com:443"}}},
  };
  for (const auto& [name, headers] : cases) {
    INFO(name);
    LoopbackSocket socket = agent.connect();
    // Behind it, a request that is good: its answer shows that the other had none, or the
    // connection's end does.
    socket.send(http2_opening() + request_frame(1, headers));
    socket.send(http2_frame(NGHTTP2_PING, 0, 0, "12345678"));
    std::string all;
    bool reset = false;
    while (!reset && all.find("12345678") == std::string::npos) {
      const std::string more = socket.read_some();
      if (more.empty()) {
        reset = true;  // the whole connection
        break;
      }
      all += more;
    }
    // RST_STREAM of stream 1: length 4, type 3, flags 0.
    reset = reset || all.find(std::string_view("\0\0\4\3\0\0\0\0\1", 9)) != std::string::npos;
    CHECK(reset);
  }
  CHECK(upstream.connections() == 0);
  CHECK(agent.statistics().calls == 0);
  check_alive(agent);
}

TEST_CASE("HTTP/2: a header list over the limit is refused, the connection goes on") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  const auto request_of = [](std::uint32_t stream, int headers) {
    std::string bytes = http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, stream,
                                    hpack(http2_post_headers(kConverse)));
    for (int number = 0; number < headers; ++number) {
      bytes +=
          http2_frame(NGHTTP2_CONTINUATION, number + 1 == headers ? NGHTTP2_FLAG_END_HEADERS : 0,
                      stream, hpack({{"x-header", std::string(15000, 'x')}}));
    }
    return bytes;
  };
  LoopbackSocket socket = agent.connect();
  socket.send(http2_opening() + request_of(1, 5));
  // RST_STREAM of stream 1: length 4, type 3, flags 0.
  const std::string_view reset("\0\0\4\3\0\0\0\0\1", 9);
  CHECK(socket.read_until(reset).find(reset) != std::string::npos);
  CHECK(agent.statistics().calls == 0);
  socket.send(request_of(3, 4));
  CHECK(agent.sink().wait_for(1).size() == 1);
  CHECK(agent.statistics().calls == 1);
}

TEST_CASE("HTTP/2: header lists of open streams are bounded together") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  // Its body does not come.
  const auto request_of_60k = [](std::uint32_t stream) {
    std::string bytes =
        http2_frame(NGHTTP2_HEADERS, 0, stream, hpack(http2_post_headers(kConverse)));
    for (int number = 0; number < 4; ++number) {
      bytes += http2_frame(NGHTTP2_CONTINUATION, number == 3 ? NGHTTP2_FLAG_END_HEADERS : 0, stream,
                           hpack({{"x-header", std::string(15000, 'x')}}));
    }
    return bytes;
  };
  LoopbackSocket socket = agent.connect();
  std::string bytes = http2_opening();
  for (std::uint32_t stream = 1; stream <= 17; stream += 2)
    bytes += request_of_60k(stream);
  socket.send(bytes);
  // RST_STREAM of stream 17: length 4, type 3, flags 0.
  const std::string_view reset("\0\0\4\3\0\0\0\0\x11", 9);
  CHECK(socket.read_until(reset).find(reset) != std::string::npos);
  CHECK(agent.statistics().calls == 8);
  socket.send(reset_frame(1) + request_of_60k(19) +
              http2_frame(NGHTTP2_PING, 0, 0, std::string(8, 'p')));
  CHECK(socket.read_until("pppppppp").find(reset) == std::string::npos);
  CHECK(agent.statistics().calls == 9);
}

TEST_CASE("HTTP/2: an endless header block ends the connection") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  socket.send(http2_opening() + http2_frame(NGHTTP2_HEADERS, 0, 1, ""));
  const std::string piece =
      http2_frame(NGHTTP2_CONTINUATION, 0, 1, hpack({{"x-header", std::string(4000, 'x')}}));
  // Until the agent will take no more; a kernel's socket buffers are far smaller than this.
  int sent = 0;
  while (sent < 10000 && socket.send(piece))
    ++sent;
  CHECK(sent < 10000);
  check_alive(agent);
}

TEST_CASE("HTTP/2: a half-sent header block does not keep its connection for ever") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.clients.header_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket socket = agent.connect();
  socket.send(http2_opening() +
              http2_frame(NGHTTP2_HEADERS, 0, 1, hpack(http2_post_headers(kConverse))));
  CHECK(ends(socket));
}

TEST_CASE("HTTP/2: a flood that asks for answers and reads none ends the connection") {
  const auto frame = GENERATE(http2_frame(NGHTTP2_PING, 0, 0, std::string(8, 'x')),
                              http2_frame(NGHTTP2_SETTINGS, 0, 0, std::string_view()));
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  std::string many;
  for (int number = 0; number < 4000; ++number)
    many += frame;
  socket.send(http2_opening());
  bool taken = true;
  // The answers fill the socket's buffers (a few MB), and then the agent must not heap them up.
  for (int round = 0; round < 2000 && taken; ++round)
    taken = socket.send(many);
  CHECK_FALSE(taken);
  check_alive(agent);
}

TEST_CASE("HTTP/2: streams that are opened and reset at once do not reach the upstream") {
  // CVE-2023-44487: each reset stream makes room for another, while its work goes on.
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  std::string bytes = http2_opening();
  for (std::uint32_t stream = 1; stream < 1000; stream += 2) {
    bytes +=
        http2_frame(NGHTTP2_HEADERS, kWholeRequest, stream, hpack(http2_post_headers(kConverse)));
    bytes += reset_frame(stream);
  }
  socket.send(bytes);
  const auto records = agent.sink().wait_for(500);
  CHECK(records.size() == 500);
  // A read may have ended between the two frames, here and there.
  CHECK(upstream.connections() <= 20);
  std::size_t closed = 0;
  for (const auto& record : records)
    closed += record.outcome == "client-closed";
  CHECK(closed == 500);
  check_alive(agent);
}

TEST_CASE("HTTP/2: calls of reset streams that wait for the store are bounded") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  agent.sink().set_full(true);
  {
    LoopbackSocket first = agent.connect();
    first.send(post(kConverse, "{}"));
    CHECK(read_response(first).status == 200);
  }
  LoopbackSocket socket = agent.connect();
  REQUIRE(socket.send(http2_opening()));
  std::uint64_t opened = 0;
  // Each request has been read, and waits, before it is reset.
  for (std::uint32_t stream = 1; stream < 3000; stream += 2) {
    if (!socket.send(request_frame(stream, http2_post_headers(kConverse))))
      break;
    ++opened;
    while (agent.statistics().calls <= opened) {
      if (hung_up(socket))
        break;
    }
    if (!socket.send(reset_frame(stream)))
      break;
  }
  CHECK(opened < 1000);
  agent.sink().set_full(false);
  CHECK(agent.sink().wait_for(opened).size() >= opened);
  check_alive(agent);
}

}  // namespace invlog::test

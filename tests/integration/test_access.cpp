// Who may call: by user and group, and no web page. A refused call is answered before its body is
// read, never goes upstream, and is told of.
#include <unistd.h>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/temporary_directory.h"

namespace invlog::test {
namespace {

ScriptedUpstream::Script echo() {
  return ScriptedUpstream::answering(
      [](const UpstreamRequest& request) { return json_response(request.body); });
}

// A head whose body never comes.
std::string head_of(std::string_view host, std::string_view more = {}) {
  return "POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
         std::string(more) + "Content-Length: 1000\r\n\r\n";
}

void check_refused(const HttpResponse& response) {
  CHECK(response.status == 403);
  CHECK(response.header("x-amzn-ErrorType") == "AccessDeniedException");
  CHECK(response.body.find("{\"message\":\"invlog: ") == 0);
}

}  // namespace

TEST_CASE("Only listed users and groups may call, on loopback and on the socket") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  const std::uint32_t user = ::geteuid(), group = ::getegid();

  SECTION("by user") {
    configuration.access.user_ids = {user + 1, user};
  }
  SECTION("by group") {
    configuration.access.user_ids = {user + 1};
    configuration.access.group_ids = {group};
  }
  AgentFixture agent(configuration);
  LoopbackSocket by_tcp = agent.connect();
  LoopbackSocket by_socket = LoopbackSocket::connect_unix(configuration.listen_socket);
  for (LoopbackSocket* client : {&by_tcp, &by_socket}) {
    client->send(post(kConverse, "{}"));
    CHECK(read_response(*client).status == 200);
  }
  CHECK(agent.statistics().access_denied == 0);
}

TEST_CASE("Whoever is not listed is refused before the body is read, and told of once") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  configuration.access.user_ids = {static_cast<std::uint32_t>(::geteuid() + 1)};
  configuration.access.group_ids = {4000000000u};
  AgentFixture agent(configuration);
  for (int number = 0; number < 3; ++number) {
    LoopbackSocket by_tcp = agent.connect();
    LoopbackSocket by_socket = LoopbackSocket::connect_unix(configuration.listen_socket);
    for (LoopbackSocket* client : {&by_tcp, &by_socket}) {
      client->send(head_of("x", "Expect: 100-continue\r\n"));
      const HttpResponse response = read_response(*client);
      check_refused(response);
      CHECK(response.body.find("allow_users") != std::string::npos);
      client->shut_writing();
      CHECK(client->sees_end());
    }
  }
  CHECK(agent.statistics().access_denied == 6);
  CHECK(agent.statistics().calls == 6);
  agent.begin_stop();
  agent.join();
  const std::vector<std::string> events = agent.sink().events();
  REQUIRE(events.size() == 2);  // the first at once, five more at the end
  CHECK(events[0].find("call-refused {\"why\":\"caller\",\"caller\":\"") == 0);
  CHECK(events[0].find("\"calls\":1,") != std::string::npos);
  CHECK(events[1].find("\"calls\":5,") != std::string::npos);
  CHECK(upstream.connections() == 0);
  CHECK(agent.sink().records() == 0);
}

TEST_CASE("A refused request without a body leaves its connection usable") {
  ScriptedUpstream upstream(echo());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  check_refused(read_response(client));
  client.send("HEAD /x HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  CHECK(read_response(client, true).status == 403);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
}

TEST_CASE("A web page's requests are refused on TCP") {
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.access.hosts = {"invlog.example.com"};
  AgentFixture agent(configuration);
  for (const auto& [host, origin] : std::vector<std::pair<std::string, std::string>>{
           {"127.0.0.1:4180", "Origin: https://page.example\r\n"},
           {"rebound.example:4180", ""},
           {"localhost", "origin: null\r\n"}}) {
    LoopbackSocket client = agent.connect();
    client.send(head_of(host, origin));
    check_refused(read_response(client));
  }
  CHECK(upstream.connections() == 0);
  for (const char* host : {"invlog.example.com:4180", "bedrock-runtime.eu-central-1.amazonaws.com",
                           "[::1]:4180", "localhost:4180"}) {
    LoopbackSocket client = agent.connect();
    client.send("POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: " + host +
                "\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(read_response(client).status == 200);
  }
}

TEST_CASE("On the Unix socket, Host may be anything") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(echo());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  AgentFixture agent(configuration);
  LoopbackSocket client = LoopbackSocket::connect_unix(configuration.listen_socket);
  client.send("POST " + std::string(kConverse) +
              " HTTP/1.1\r\nHost: any.thing.example\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(read_response(client).status == 200);
}

TEST_CASE("HTTP/2: :authority counts as Host, and a refusal does not wait for the body") {
  ScriptedUpstream upstream(echo());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  HeaderList headers = http2_post_headers(kConverse);
  for (auto& [name, value] : headers) {
    if (name == ":authority")
      value = "rebound.example";
  }
  headers.emplace_back("host", "rebound.example");
  socket.send(http2_opening() +
              http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, hpack(headers)));
  CHECK(socket.read_until("rebound.example").find("rebound.example") != std::string::npos);
  CHECK(agent.statistics().access_denied == 1);
  Http2Client client(agent.port());
  const auto& refused = client.wait_for(client.post(kConverse, "{}", {{"origin", "http://x"}}));
  CHECK(refused.status == 403);
  CHECK(refused.header("x-amzn-errortype") == "AccessDeniedException");
  CHECK(client.wait_for(client.post(kConverse, "{}")).status == 200);
}

}  // namespace invlog::test

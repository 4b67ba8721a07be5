// A company's proxy on the way to the service: CONNECT, its refusals, its credentials.
#include <map>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_server.h"

namespace invlog::test {
namespace {

aws::Environment with(std::map<std::string, std::string> variables) {
  return [variables = std::move(variables)](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
}

std::string proxy_url(const ScriptedUpstream& proxy, const std::string& user = "") {
  return "http://" + user + "127.0.0.1:" + std::to_string(proxy.port());
}

config::AgentConfig configuration_for(const ServerCertificate& certificate,
                                      const std::string& url) {
  auto configuration = AgentFixture::configuration(url);
  configuration.ca_bundle = certificate.authority_file();
  return configuration;
}

}  // namespace

TEST_CASE("Proxy: the service is reached by CONNECT, with the proxy's credentials for it alone") {
  const ServerCertificate certificate("DNS:bedrock.test");
  std::string connect, request_head;
  ScriptedUpstream proxy([&](LoopbackSocket& socket, int) {
    connect = read_request(socket).head;
    socket.send("HTTP/1.1 200 Connection established\r\nVia: proxy\r\n\r\n");
    // What is behind the proxy.
    TlsServerConnection connection(certificate, socket);
    if (!connection.handshake())
      return;
    for (;;) {
      const UpstreamRequest request = connection.read_request();
      if (!request.complete)
        return;
      request_head = request.head;
      connection.send(json_response(request.body));
    }
  });
  AgentFixture agent(configuration_for(certificate, "https://bedrock.test"), true,
                     with({{"HTTPS_PROXY", proxy_url(proxy, "user:s3cret%40@")}}));
  LoopbackSocket client = agent.connect();
  for (int call = 0; call < 2; ++call) {
    client.send(post(kConverse, "{}"));
    CHECK(read_response(client).status == 200);
  }
  CHECK(proxy.connections() == 1);
  CHECK(connect ==
        "CONNECT bedrock.test:443 HTTP/1.1\r\nHost: bedrock.test:443\r\n"
        "Proxy-Authorization: Basic dXNlcjpzM2NyZXRA");
  CHECK(request_head.find("\r\nHost: bedrock.test\r\n") != std::string::npos);
  CHECK(request_head.find("Proxy-") == std::string::npos);
  CHECK(agent.sink().wait_for(2).size() == 2);
}

TEST_CASE("Proxy: a refusal is a 502 that names the proxy and never its credentials") {
  const ServerCertificate certificate("DNS:bedrock.test");
  const std::pair<std::string, std::string> answer = GENERATE(
      std::pair<std::string, std::string>("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
                                          "refused CONNECT: HTTP/1.1 407 Proxy Authentication"),
      std::pair<std::string, std::string>("HTTP/1.0 403 Forbidden\r\nX: y\r\n\r\n<html>",
                                          "refused CONNECT: HTTP/1.0 403 Forbidden"),
      std::pair<std::string, std::string>("SSH-2.0-OpenSSH_9.2\r\n\r\n",
                                          "refused CONNECT: SSH-2.0"),
      std::pair<std::string, std::string>("", "proxy 127.0.0.1:"));
  ScriptedUpstream proxy([&](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send(answer.first);
  });
  AgentFixture agent(configuration_for(certificate, "https://bedrock.test"), true,
                     with({{"https_proxy", proxy_url(proxy, "user:s3cret@")}}));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 502);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  INFO(response.body);
  CHECK(response.body.find(answer.second) != std::string::npos);
  CHECK(response.body.find("127.0.0.1:" + std::to_string(proxy.port())) != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "upstream-closed");
  const auto statistics = agent.statistics();
  REQUIRE(statistics.last_errors.size() == 1);
  for (const std::string& text : {response.body, response.head, statistics.last_errors[0],
                                  records[0].response.bytes, records[0].details}) {
    CHECK(text.find("s3cret") == std::string::npos);
    CHECK(text.find("dXNlcjpzM2NyZXQ") == std::string::npos);
  }
}

TEST_CASE("Proxy: one that does not answer is a 504 after connect_timeout") {
  const ServerCertificate certificate("DNS:bedrock.test");
  ScriptedUpstream proxy([&](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.sees_end();
  });
  auto configuration = configuration_for(certificate, "https://bedrock.test");
  configuration.connect_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration, true, with({{"HTTPS_PROXY", proxy_url(proxy)}}));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 504);
  CHECK(agent.sink().wait_for(1).at(0).outcome == "timeout");
}

TEST_CASE("Proxy: an answer that never ends is given up") {
  const ServerCertificate certificate("DNS:bedrock.test");
  ScriptedUpstream proxy([&](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 200 OK\r\n");
    while (socket.send("X-Filler: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  AgentFixture agent(configuration_for(certificate, "https://bedrock.test"), true,
                     with({{"HTTPS_PROXY", proxy_url(proxy)}}));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 502);
}

TEST_CASE("Proxy: NO_PROXY leads past it") {
  // 0.0.0.0 leads to this host, and is not taken for loopback, which no proxy is used for.
  const ServerCertificate certificate("IP:0.0.0.0");
  ScriptedUpstream upstream([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (connection.handshake() && connection.read_request().complete)
      connection.send(json_response("{\"direct\":true}"));
  });
  ScriptedUpstream proxy([](LoopbackSocket& socket, int) {
    read_request(socket);
    socket.send("HTTP/1.1 403 Forbidden\r\n\r\n");
  });
  const auto [no_proxy, direct] = GENERATE(
      std::pair<std::string, bool>("example.com, 0.0.0.0", true),
      std::pair<std::string, bool>("*", true), std::pair<std::string, bool>("example.com", false));
  INFO(no_proxy);
  AgentFixture agent(
      configuration_for(certificate, "https://0.0.0.0:" + std::to_string(upstream.port())), true,
      with({{"HTTPS_PROXY", proxy_url(proxy)}, {"NO_PROXY", no_proxy}}));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == (direct ? 200 : 502));
  CHECK(proxy.connections() == (direct ? 0 : 1));
  CHECK(upstream.connections() == (direct ? 1 : 0));
}

}  // namespace invlog::test

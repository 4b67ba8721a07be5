// Calls of our own over TLS: who is trusted, and how a refusal looks.
#include <atomic>
#include <string>

#include "exporters/aws/http_client.h"
#include "tests/catch.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/integration/tls_server.h"

namespace invlog::test {
namespace {

using Kind = aws::HttpFailure::Kind;

ScriptedUpstream::Script tls_echo(const ServerCertificate& certificate, std::atomic<int>& requests,
                                  int newest_version = TLS1_3_VERSION) {
  return [&certificate, &requests, newest_version](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket, newest_version);
    if (!connection.handshake())
      return;
    for (UpstreamRequest request = connection.read_request(); request.complete;
         request = connection.read_request()) {
      ++requests;
      connection.send(json_response(request.body));
    }
  };
}

std::unique_ptr<aws::HttpClient> client_trusting(const std::string& authority_file) {
  aws::HttpClientOptions options;
  options.ca_bundle = authority_file;
  return aws::curl_http_client(options);
}

aws::HttpRequest request_to(const ScriptedUpstream& server, std::string_view body = "") {
  aws::HttpRequest request;
  request.method = "PUT";
  request.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/key";
  request.headers = {{"authorization", "hush"}};
  request.body = body;
  request.total_timeout = std::chrono::seconds(20);
  request.direct = true;
  return request;
}

// Refused as TLS for a reason that contains `reason`, before any request was sent.
void check_refused(const ServerCertificate& certificate, const std::string& authority_file,
                   const std::string& reason, int newest_version = TLS1_3_VERSION) {
  std::atomic<int> requests{0};
  const ScriptedUpstream server(tls_echo(certificate, requests, newest_version));
  const aws::HttpResult result = client_trusting(authority_file)->send(request_to(server));
  REQUIRE(!result);
  INFO(result.error().message);
  CHECK(result.error().kind == Kind::tls);
  CHECK(result.error().message.find("127.0.0.1:" + std::to_string(server.port()) + ": ") == 0);
  CHECK(result.error().message.find(reason) != std::string::npos);
  CHECK(result.error().message.find("hush") == std::string::npos);
  CHECK(requests == 0);
}

}  // namespace

TEST_CASE("AWS HTTP client: requests of any size go over one kept TLS connection") {
  const ServerCertificate certificate("IP:127.0.0.1");
  const int version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
  std::atomic<int> requests{0};
  const ScriptedUpstream server(tls_echo(certificate, requests, version));
  const auto client = client_trusting(certificate.authority_file());
  for (const std::string& body : {std::string("{}"), std::string(3'000'000, 'x'), std::string()}) {
    const aws::HttpResult result = client->send(request_to(server, body));
    REQUIRE(result);
    CHECK(result->status == 200);
    CHECK((result->body == body));
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("AWS HTTP client: an authority that is not in the bundle is refused") {
  const ServerCertificate certificate("IP:127.0.0.1"), other("IP:127.0.0.1");
  check_refused(certificate, other.authority_file(), other.authority_file());
}

TEST_CASE("AWS HTTP client: the system's authorities do not vouch for a test's certificate") {
  const ServerCertificate certificate("IP:127.0.0.1");
  check_refused(certificate, "", "trusted authorities: the system's");
}

TEST_CASE("AWS HTTP client: a certificate of another name is refused") {
  const ServerCertificate certificate("DNS:other.test,IP:127.0.0.2");
  check_refused(certificate, certificate.authority_file(), "127.0.0.1");
}

TEST_CASE("AWS HTTP client: an expired certificate is refused") {
  const ServerCertificate certificate("IP:127.0.0.1", 0);
  check_refused(certificate, certificate.authority_file(), "expired");
}

TEST_CASE("AWS HTTP client: TLS older than 1.2 is refused") {
  const ServerCertificate certificate("IP:127.0.0.1");
  check_refused(certificate, certificate.authority_file(), "", TLS1_1_VERSION);
}

TEST_CASE("AWS HTTP client: a connection that ends within a TLS answer is broken") {
  const ServerCertificate certificate("IP:127.0.0.1");
  const bool said_so = GENERATE(false, true);
  const ScriptedUpstream server([&](LoopbackSocket& socket, int) {
    TlsServerConnection connection(certificate, socket);
    if (connection.handshake() && connection.read_request().complete) {
      connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
      if (said_so)
        connection.say_end();
      socket.close();
    }
  });
  const aws::HttpResult result =
      client_trusting(certificate.authority_file())->send(request_to(server));
  REQUIRE(!result);
  CHECK(result.error().kind == Kind::broken);
}

}  // namespace invlog::test

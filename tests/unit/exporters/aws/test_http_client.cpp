#include "exporters/aws/http_client.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/aws/loopback_server.h"

using namespace invlog::aws;
using namespace invlog::tests;
using std::chrono::milliseconds;
using Kind = HttpFailure::Kind;
using Then = LoopbackReply::Then;

namespace {

// `direct`, so that a proxy in the environment of whoever runs the tests does not matter.
HttpRequest request_to(const std::string& url, const std::string& method = "GET") {
  HttpRequest request;
  request.method = method;
  request.url = url;
  request.total_timeout = std::chrono::seconds(20);
  request.direct = true;
  return request;
}

Kind kind_of(const HttpResult& result) {
  REQUIRE(!result);
  INFO(result.error().message);
  CHECK(!contains(result.error().message, "\n"));
  return result.error().kind;
}

LoopbackReply raw(std::string bytes, Then then = Then::keep) {
  return {std::move(bytes), then};
}

}  // namespace

TEST_CASE("a response is given with its status, lower-case headers and body") {
  LoopbackServer server({reply(404, "not here", "X-Amzn-RequestId:  r-1 \r\nX-Empty:\r\n")});
  const auto client = curl_http_client({});
  const HttpResult result = client->send(request_to(server.url() + "/a"));
  REQUIRE(result);
  CHECK(result->status == 404);
  CHECK(result->body == "not here");
  CHECK(result->header("x-amzn-requestid") == "r-1");
  CHECK(result->header("x-empty").empty());
  CHECK(result->header("content-length") == "8");
  CHECK(result->header("absent").empty());
}

TEST_CASE("path and query go on the wire as they are given") {
  LoopbackServer server({reply(200)});
  const auto client = curl_http_client({});
  for (const std::string target :
       {"/a%2fb%2Fc/d=e:f@g", "/bucket//double/../dots/./x",
        "/?list-type=2&prefix=a%20b&empty=", "/k~(1)*'!$&+,;", "/?x=a?b/c"}) {
    REQUIRE(client->send(request_to(server.url() + target)));
    CHECK(server.requests().back().target == target);
  }
}

TEST_CASE("headers are sent as given, an empty value too, and none is invented") {
  LoopbackServer server({reply(200)});
  HttpClientOptions options;
  options.user_agent = "invlog/1 test";
  const auto client = curl_http_client(options);
  HttpRequest request = request_to(server.url(), "PUT");
  request.body = "body";
  request.headers = {{"x-amz-empty", ""},
                     {"x-amz-blank", "  "},
                     {"X-Amz-Target", "Logs_20140328.PutLogEvents"},
                     {"x-amz-semicolon", "a;"},
                     {"host", "signed.example"},
                     {"Authorization", "AWS4-HMAC-SHA256 Credential=x"}};
  REQUIRE(client->send(request));
  const LoopbackRequest seen = server.requests().at(0);
  CHECK(seen.has_header("x-amz-empty"));
  CHECK(seen.header("x-amz-empty").empty());
  CHECK(seen.has_header("x-amz-blank"));
  CHECK(seen.header("x-amz-target") == "Logs_20140328.PutLogEvents");
  CHECK(seen.header("x-amz-semicolon") == "a;");
  CHECK(seen.header("host") == "signed.example");
  CHECK(seen.header("authorization") == "AWS4-HMAC-SHA256 Credential=x");
  CHECK(seen.header("user-agent") == "invlog/1 test");
  CHECK(seen.header("content-length") == "4");
  CHECK(!seen.has_header("content-type"));
  CHECK(!seen.has_header("expect"));
  CHECK(!seen.has_header("x-amz-date"));
}

TEST_CASE("Host is the URL's with its port") {
  LoopbackServer server({reply(200)});
  const auto client = curl_http_client({});
  REQUIRE(client->send(request_to(server.url())));
  CHECK(server.requests().at(0).header("host") == "127.0.0.1:" + std::to_string(server.port()));
}

TEST_CASE("every method sends exactly the body it was given") {
  LoopbackServer server({reply(200)});
  const auto client = curl_http_client({});
  const std::string big(3'000'000, 'b');
  const std::string binary("\0\1\r\n\xFF", 5);
  for (const std::string method : {"PUT", "POST", "DELETE", "GET", "PATCH"}) {
    for (const std::string& body : {std::string(), binary, big}) {
      HttpRequest request = request_to(server.url(), method);
      request.body = body;
      REQUIRE(client->send(request));
      const LoopbackRequest seen = server.requests().back();
      CHECK(seen.method == method);
      CHECK((seen.body == body));
      CHECK(!seen.has_header("transfer-encoding"));
      if (method != "GET" || !body.empty()) {
        CHECK(seen.header("content-length") == std::to_string(body.size()));
      }
    }
  }
}

TEST_CASE("a HEAD response has the length in its headers and no body") {
  LoopbackServer server({raw("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n"
                             "x-amz-bucket-region: eu-central-1\r\n\r\n"),
                         reply(200, "next")});
  const auto client = curl_http_client({});
  const HttpResult head = client->send(request_to(server.url() + "/bucket", "HEAD"));
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->body.empty());
  CHECK(head->header("x-amz-bucket-region") == "eu-central-1");
  const HttpResult next = client->send(request_to(server.url()));
  REQUIRE(next);
  CHECK(next->body == "next");
  CHECK(server.connections() == 1);
}

TEST_CASE("nothing of one request is left in the next") {
  LoopbackServer server({reply(200, "one", "x-first: 1\r\n"), reply(200)});
  const auto client = curl_http_client({});
  HttpRequest first = request_to(server.url(), "PUT");
  first.headers = {{"x-secret", "s"}, {"content-type", "application/json"}};
  first.body = "{}";
  REQUIRE(client->send(first));
  const HttpResult second = client->send(request_to(server.url()));
  REQUIRE(second);
  CHECK(second->body.empty());
  CHECK(second->header("x-first").empty());
  const LoopbackRequest seen = server.requests().at(1);
  CHECK(seen.method == "GET");
  CHECK(!seen.has_header("x-secret"));
  CHECK(!seen.has_header("content-type"));
  CHECK(!seen.has_header("content-length"));
}

TEST_CASE("a connection is kept and used again") {
  LoopbackServer server({reply(200, "a"), reply(503, "b"), reply(200, "c")});
  const auto client = curl_http_client({});
  for (int i = 0; i < 5; ++i) {
    REQUIRE(client->send(request_to(server.url())));
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a kept connection that the server closed is replaced without a failure") {
  LoopbackReply then_close = reply(200, "a");
  then_close.then = Then::close;
  LoopbackServer server({then_close, reply(200, "b")});
  const auto client = curl_http_client({});
  REQUIRE(client->send(request_to(server.url())));
  HttpRequest second = request_to(server.url(), "PUT");
  second.body = "again";
  const HttpResult result = client->send(second);
  REQUIRE(result);
  CHECK(result->body == "b");
  CHECK(server.requests().back().body == "again");
  CHECK(server.connections() == 2);
}

TEST_CASE(
    "a kept connection that ends under the second request is replaced, and all is sent again") {
  LoopbackServer server({reply(200, "a"), raw("", Then::close), reply(200, "b")});
  const auto client = curl_http_client({});
  REQUIRE(client->send(request_to(server.url())));
  HttpRequest second = request_to(server.url(), "PUT");
  const std::string body(300'000, 'x');
  second.body = body;
  const HttpResult result = client->send(second);
  REQUIRE(result);
  CHECK(result->body == "b");
  REQUIRE(server.requests().size() == 3);
  CHECK((server.requests()[2].body == body));
}

TEST_CASE("a redirect is an answer and is not followed") {
  LoopbackServer elsewhere({reply(200, "wrong")});
  LoopbackServer server({reply(307, "", "Location: " + elsewhere.url() + "/\r\n"),
                         reply(301, "", "Location: " + elsewhere.url() + "/\r\n")});
  const auto client = curl_http_client({});
  for (const int status : {307, 301}) {
    const HttpResult result = client->send(request_to(server.url(), "PUT"));
    REQUIRE(result);
    CHECK(result->status == status);
    CHECK(result->header("location") == elsewhere.url() + "/");
  }
  CHECK(elsewhere.connections() == 0);
}

TEST_CASE("only the final response's headers count, not an interim one's and not trailers") {
  LoopbackServer server({raw("HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\n"
                             "HTTP/1.1 103 Early Hints\r\nx-interim: 2\r\n\r\n"
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nx-final: 1\r\n\r\n"
                             "3\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n"),
                         reply(200, "next")});
  const auto client = curl_http_client({});
  HttpRequest request = request_to(server.url(), "PUT");
  request.body = "b";
  const HttpResult result = client->send(request);
  REQUIRE(result);
  CHECK(result->status == 200);
  CHECK(result->body == "abc");
  CHECK(result->header("x-final") == "1");
  CHECK(result->header("x-interim").empty());
  CHECK(result->header("x-trailer").empty());
  REQUIRE(client->send(request_to(server.url())));
  CHECK(server.connections() == 1);
}

TEST_CASE("a body that the client did not ask to have compressed is given as it came") {
  LoopbackServer server({reply(200, "\x1f\x8b not gzip", "Content-Encoding: gzip\r\n")});
  const auto client = curl_http_client({});
  const HttpResult result = client->send(request_to(server.url()));
  REQUIRE(result);
  CHECK(result->body == "\x1f\x8b not gzip");
  CHECK(!server.requests().at(0).has_header("accept-encoding"));
}

TEST_CASE("an answer in the middle of a big upload is given, and the rest is not sent") {
  LoopbackReply refusal =
      reply(503, "<Error><Code>SlowDown</Code></Error>", "Connection: close\r\n");
  refusal.then = Then::stall;
  LoopbackServer server([refusal](const LoopbackRequest&) { return refusal; }, true);
  const auto client = curl_http_client({});
  HttpRequest request = request_to(server.url(), "PUT");
  std::string body;
  body.resize(30'000'000, 'x');
  request.body = body;
  const HttpResult result = client->send(request);
  REQUIRE(result);
  CHECK(result->status == 503);
  CHECK(contains(result->body, "SlowDown"));
}

TEST_CASE("what breaks an answer is a failure, never half an answer") {
  const auto client = curl_http_client({});
  const auto failure = [&](LoopbackReply bad) {
    LoopbackServer server({std::move(bad)});
    const HttpResult result = client->send(request_to(server.url()));
    REQUIRE(!result);
    CHECK(contains(result.error().message, "127.0.0.1:" + std::to_string(server.port()) + ": "));
    return result.error().kind;
  };
  const std::string half = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc";
  CHECK(failure(raw(half, Then::close)) == Kind::broken);
  CHECK(failure(raw(half, Then::reset)) == Kind::broken);
  CHECK(failure(raw(half, Then::half_close)) == Kind::broken);
  CHECK(failure(raw("", Then::close)) == Kind::broken);
  CHECK(failure(raw("", Then::reset)) == Kind::broken);
  CHECK(failure(raw("HTTP/1.1 200 O", Then::close)) == Kind::broken);
  CHECK(failure(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Then::close)) ==
        Kind::broken);
  CHECK(failure(raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Then::close)) ==
        Kind::broken);
  CHECK(failure(raw("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Then::close)) == Kind::broken);
  CHECK(failure(raw("220 mail.example ESMTP\r\n\r\n", Then::close)) == Kind::broken);
  CHECK(failure(raw("HTTP/1.1 100 Continue\r\n\r\n", Then::close)) == Kind::broken);
}

TEST_CASE("a response over the limit is refused, one of exactly the limit is not") {
  HttpClientOptions options;
  options.max_response_bytes = 1000;
  const auto client = curl_http_client(options);
  LoopbackServer server({reply(200, std::string(1000, 'a')), reply(200, std::string(1001, 'a')),
                         reply(200, "after")});
  const HttpResult whole = client->send(request_to(server.url()));
  REQUIRE(whole);
  CHECK(whole->body.size() == 1000);
  CHECK(kind_of(client->send(request_to(server.url()))) == Kind::too_large);
  const HttpResult after = client->send(request_to(server.url()));
  REQUIRE(after);
  CHECK(after->body == "after");
}

TEST_CASE("headers without end are refused") {
  std::string endless = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 10'000; ++i) {
    endless += "x-header-" + std::to_string(i) + ": " + std::string(50, 'v') + "\r\n";
  }
  LoopbackServer server({raw(endless + "\r\n")});
  const auto client = curl_http_client({});
  // Newer versions of libcurl have a limit of their own.
  const Kind kind = kind_of(client->send(request_to(server.url())));
  CHECK((kind == Kind::too_large || kind == Kind::broken));
}

TEST_CASE("nobody listening is a failure to connect that names the cause") {
  std::string url;
  {
    const LoopbackServer gone({reply(200)});
    url = gone.url();
  }
  const auto client = curl_http_client({});
  const HttpResult result = client->send(request_to(url));
  CHECK(kind_of(result) == Kind::connect);
  CHECK(contains(result.error().message, "Connection refused"));
}

TEST_CASE("a host that does not take connections is given up at the connect timeout") {
  // Nobody accepts, and the queue of those who wait is full.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::bind(listener, generic, size) == 0);
  REQUIRE(::listen(listener, 0) == 0);
  REQUIRE(::getsockname(listener, generic, &size) == 0);
  std::vector<int> queued;
  for (int i = 0; i < 4; ++i) {
    queued.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    static_cast<void>(::connect(queued.back(), generic, size));
  }
  HttpRequest request = request_to("http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)));
  request.connect_timeout = milliseconds(100);
  const HttpResult result = curl_http_client({})->send(request);
  CHECK(kind_of(result) == Kind::connect);
  CHECK(contains(result.error().message, "nobody answers there"));
  for (const int descriptor : queued) {
    ::close(descriptor);
  }
  ::close(listener);
}

TEST_CASE("a server that stalls runs into the total timeout, and the next request is a new one") {
  for (const std::string& start :
       {std::string(), std::string("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")}) {
    LoopbackServer server({raw(start, Then::stall), reply(200, "fresh")});
    const auto client = curl_http_client({});
    HttpRequest request = request_to(server.url());
    request.total_timeout = milliseconds(100);
    const HttpResult result = client->send(request);
    CHECK(kind_of(result) == Kind::timeout);
    CHECK(contains(result.error().message, "no whole answer in time"));
    const HttpResult next = client->send(request_to(server.url()));
    REQUIRE(next);
    CHECK(next->body == "fresh");
  }
}

TEST_CASE("a stall on a kept connection is a timeout, too") {
  LoopbackServer server({reply(200), raw("", Then::stall)});
  const auto client = curl_http_client({});
  REQUIRE(client->send(request_to(server.url())));
  HttpRequest request = request_to(server.url());
  request.total_timeout = milliseconds(100);
  CHECK(kind_of(client->send(request)) == Kind::timeout);
}

TEST_CASE("what cannot be a request is refused before anything is sent") {
  LoopbackServer server({reply(200)});
  const auto client = curl_http_client({});
  const std::string user = "http://user:pass-word@127.0.0.1:" + std::to_string(server.port());
  for (const std::string& url :
       {std::string(), std::string("/path"), std::string("127.0.0.1"), std::string("ftp://a/"),
        std::string("file:///etc/passwd"), std::string("http://"), user, server.url() + "/a b",
        server.url() + "/a\nb", server.url() + "/a#b", server.url() + std::string("/a\0b", 4),
        server.url() + "/\xC3\xA4", std::string("http://127.0.0.1:99999/")}) {
    const HttpResult result = client->send(request_to(url));
    INFO(url);
    CHECK(kind_of(result) == Kind::usage);
    CHECK(!contains(result.error().message, "pass-word"));
  }
  for (const auto& [name, value] : HttpHeaders{{"authorization", "secret\r\nx: y"},
                                               {"authorization", "secret\n"},
                                               {"authorization", std::string("secret\0", 7)},
                                               {"", "secret"},
                                               {"bad name", "secret"},
                                               {"secret\r\nx", "y"},
                                               {"content-length", "5"},
                                               {"Transfer-Encoding", "chunked"}}) {
    HttpRequest request = request_to(server.url());
    request.headers = {{name, value}};
    const HttpResult result = client->send(request);
    CHECK(kind_of(result) == Kind::usage);
    CHECK(!contains(result.error().message, "secret"));
  }
  CHECK(kind_of(client->send(request_to(server.url(), "GET /x HTTP/1.1\r\nx:"))) == Kind::usage);
  CHECK(kind_of(client->send(request_to(server.url(), ""))) == Kind::usage);
  CHECK(server.requests().empty());
}

TEST_CASE("a CA bundle that is not there fails https with its name, and http not at all") {
  LoopbackServer server({reply(200)});
  HttpClientOptions options;
  options.ca_bundle = "/nonexistent/ca.pem";
  const auto client = curl_http_client(options);
  const HttpResult result =
      client->send(request_to("https://127.0.0.1:" + std::to_string(server.port())));
  CHECK(kind_of(result) == Kind::tls);
  CHECK(contains(result.error().message, "/nonexistent/ca.pem"));
  CHECK(client->send(request_to(server.url())));
}

TEST_CASE("a TLS handshake that stalls is a timeout, and the total one ends it") {
  LoopbackServer server({reply(200)});
  const auto client = curl_http_client({});
  HttpRequest request = request_to("https://127.0.0.1:" + std::to_string(server.port()));
  // The server waits for the end of a request's head, which a ClientHello does not have.
  request.total_timeout = milliseconds(200);
  CHECK(kind_of(client->send(request)) == Kind::timeout);
}

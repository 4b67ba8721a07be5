#include "agent/capture/request_signer.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

std::string signature_in(const std::string& head) {
  return head.substr(head.find("Signature="), std::string("Signature=").size() + 64);
}

const std::chrono::system_clock::time_point kNow{std::chrono::seconds(1440938160)};

RequestHead request_with(Headers headers) {
  RequestHead request;
  request.method = "POST";
  request.target = "/model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b";
  request.headers = std::move(headers);
  return request;
}

UpstreamEndpoint endpoint() {
  UpstreamEndpoint made;
  made.host = made.host_header = "bedrock-runtime.eu-central-1.amazonaws.com";
  return made;
}

aws::Credentials credentials() {
  aws::Credentials made;
  made.access_key_id = "AKIDEXAMPLE";
  made.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  return made;
}

std::string head_of(const RequestHead& request, std::string_view body,
                    const aws::Credentials* with) {
  return RequestSigner("eu-central-1").upstream_head(request, body, endpoint(), with, kNow);
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

std::string signed_headers(const std::string& head) {
  const std::size_t at = head.find("SignedHeaders=");
  return head.substr(at + 14, head.find(',', at) - at - 14);
}

}  // namespace

TEST_CASE("A path goes on as it came, and is signed as the services read it") {
  const aws::Credentials own = credentials();
  RequestHead request = request_with({});
  request.target = "/model/eu.amazon.nova-2-lite-v1%3A0/converse";
  const std::string plain = head_of(request, "{}", &own);
  for (const std::string odd : {"//model/eu.amazon.nova-2-lite-v1%3A0/converse",
                                "/model/./eu.amazon.nova-2-lite-v1%3A0//converse",
                                "/x/../model/eu.amazon.nova-2-lite-v1%3A0/converse"}) {
    request.target = odd;
    const std::string head = head_of(request, "{}", &own);
    CHECK(head.starts_with("POST " + odd + " HTTP/1.1\r\n"));
    CHECK(signature_in(head) == signature_in(plain));
  }
  request.target = "/model/another/converse";
  CHECK(signature_in(head_of(request, "{}", &own)) != signature_in(plain));
}

TEST_CASE("A client's signature is replaced by the agent's, whatever the case of its headers") {
  const aws::Credentials own = credentials();
  const std::string head =
      head_of(request_with({{"HOST", "127.0.0.1:4180"},
                            {"AUTHORIZATION", "AWS4-HMAC-SHA256 Credential=CLIENT/x, Signature=s"},
                            {"x-amz-DATE", "20200101T000000Z"},
                            {"X-Amz-Security-Token", "clienttoken"},
                            {"X-AMZ-content-sha256", "clientdigest"},
                            {"Content-Length", "99"},
                            {"X-Other", "kept"}}),
              "{}", &own);
  CHECK(head.find("POST /model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b HTTP/1.1\r\n"
                  "Host: bedrock-runtime.eu-central-1.amazonaws.com\r\n") == 0);
  CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
  CHECK(head.find("CLIENT") == std::string::npos);
  CHECK(head.find("client") == std::string::npos);
  CHECK(head.find("20200101") == std::string::npos);
  CHECK(head.find("127.0.0.1") == std::string::npos);
  CHECK(head.find("\r\nX-Other: kept\r\n") != std::string::npos);
  CHECK(head.find("\r\nContent-Length: 2\r\n") != std::string::npos);
  CHECK(count(head, "ontent-Length") == 1);
  CHECK(count(head,
              "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/"
              "eu-central-1/bedrock/aws4_request, ") == 1);
  CHECK(count(head, "\r\nX-Amz-Date: 20150830T123600Z\r\n") == 1);
  CHECK(head.find("Security-Token") == std::string::npos);
  // SHA-256 of {}.
  CHECK(head.find("44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a") !=
        std::string::npos);
  CHECK(head.find(own.secret_access_key) == std::string::npos);
}

TEST_CASE("Signed are host, type, metadata and x-amz-*; what proxies may change is not") {
  aws::Credentials own = credentials();
  own.session_token = "token";
  const std::string head = head_of(request_with({{"Content-Type", "application/json"},
                                                 {"User-Agent", "sdk"},
                                                 {"X-Amz-Custom", "1"},
                                                 {"X-Amzn-Bedrock-Request-Metadata", "{}"},
                                                 {"X-Amzn-Trace-Id", "2"},
                                                 {"amz-sdk-request", "attempt=1"}}),
                                   "", &own);
  CHECK(signed_headers(head) ==
        "content-type;host;x-amz-content-sha256;x-amz-custom;x-amz-date;x-amz-security-token;"
        "x-amzn-bedrock-request-metadata");
  CHECK(head.find("\r\nX-Amz-Security-Token: token\r\n") != std::string::npos);
}

TEST_CASE("The signature covers the body, the query, the path and the prefix") {
  const aws::Credentials own = credentials();
  RequestSigner signer("eu-central-1");
  const auto signature = [&](const RequestHead& request, std::string_view body,
                             const UpstreamEndpoint& to) {
    const std::string head = signer.upstream_head(request, body, to, &own, kNow);
    return head.substr(head.find("Signature="));
  };
  const RequestHead request = request_with({});
  const std::string usual = signature(request, "{}", endpoint());
  CHECK(signature(request, "{}", endpoint()) == usual);
  CHECK(signature(request, "{ }", endpoint()) != usual);
  RequestHead other = request;
  other.target = "/model/eu.amazon.nova-2-lite-v1%3A0/converse?a=c";
  CHECK(signature(other, "{}", endpoint()) != usual);
  other.target = "/model/eu.amazon.nova-2-lite-v1:0/converse?a=b";
  CHECK(signature(other, "{}", endpoint()) != usual);
  UpstreamEndpoint prefixed = endpoint();
  prefixed.base_path = "/prefix";
  CHECK(signature(request, "{}", prefixed) != usual);
  CHECK(signer.upstream_head(request, "{}", prefixed, &own, kNow).find("POST /prefix/model/") == 0);
}

TEST_CASE("A bearer request passes with its headers, and nothing is added but the length") {
  const RequestHead request =
      request_with({{"Host", "x"}, {"authorization", "Bearer key"}, {"X-Amz-Date", "theirs"}});
  CHECK(has_bearer_key(request));
  CHECK(head_of(request, "{}", nullptr) ==
        "POST /model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b HTTP/1.1\r\n"
        "Host: bedrock-runtime.eu-central-1.amazonaws.com\r\n"
        "authorization: Bearer key\r\nX-Amz-Date: theirs\r\nContent-Length: 2\r\n\r\n");
}

TEST_CASE("What is a bearer key") {
  CHECK(has_bearer_key(request_with({{"Authorization", "bearer abc"}})));
  CHECK_FALSE(has_bearer_key(request_with({{"Authorization", "Bearer "}})));
  CHECK_FALSE(has_bearer_key(request_with({{"Authorization", "Bearerabc"}})));
  CHECK_FALSE(has_bearer_key(request_with({{"Authorization", "AWS4-HMAC-SHA256 Bearer x"}})));
  CHECK_FALSE(has_bearer_key(request_with({})));
}

TEST_CASE("A request without a body says a length only if the client did, or must") {
  RequestHead request = request_with({});
  request.method = "GET";
  CHECK(head_of(request, "", nullptr).find("Content-Length") == std::string::npos);
  request.headers = {{"Content-Length", "0"}};
  CHECK(head_of(request, "", nullptr).find("\r\nContent-Length: 0\r\n") != std::string::npos);
  request.headers.clear();
  request.method = "POST";
  CHECK(head_of(request, "", nullptr).find("\r\nContent-Length: 0\r\n") != std::string::npos);
}

TEST_CASE("Headers of the client's connection stay there") {
  const std::string head = head_of(request_with({{"Connection", "keep-alive, X-Hop"},
                                                 {"X-Hop", "1"},
                                                 {"Transfer-Encoding", "chunked"},
                                                 {"TE", "trailers"},
                                                 {"Proxy-Authorization", "Basic x"},
                                                 {"Expect", "100-continue"},
                                                 {"Accept", "*/*"}}),
                                   "{}", nullptr);
  CHECK(head ==
        "POST /model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b HTTP/1.1\r\n"
        "Host: bedrock-runtime.eu-central-1.amazonaws.com\r\n"
        "Accept: */*\r\nContent-Length: 2\r\n\r\n");
}

}  // namespace invlog::capture

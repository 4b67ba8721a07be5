#include "agent/capture/passed_request.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

RequestHead request(Headers headers) {
  return {"POST", "/model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b%2Fc", "", std::move(headers),
          5};
}

}  // namespace

TEST_CASE("A request goes on as it came: order, case and hop-by-hop headers", "[proxy]") {
  CHECK(passed_head(request({{"HOST", "bedrock-runtime.eu-central-1.amazonaws.com"},
                             {"x-Amz-Date", "20260411T101112Z"},
                             {"Authorization", "AWS4-HMAC-SHA256 Credential=A/1"},
                             {"connection", "Keep-Alive"},
                             {"TE", "trailers"},
                             {"X-Empty", ""},
                             {"Content-Length", "5"}}),
                    "hello") ==
        "POST /model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b%2Fc HTTP/1.1\r\n"
        "HOST: bedrock-runtime.eu-central-1.amazonaws.com\r\n"
        "x-Amz-Date: 20260411T101112Z\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=A/1\r\n"
        "connection: Keep-Alive\r\n"
        "TE: trailers\r\n"
        "X-Empty: \r\n"
        "Content-Length: 5\r\n\r\n");
}

TEST_CASE("A request never asks the host for another protocol", "[proxy]") {
  const std::string head =
      passed_head(request({{"Host", "h"}, {"Upgrade", "h2c"}, {"HTTP2-Settings", "AAMAAABk"}}), "");
  CHECK(head.find("h2c") == std::string::npos);
  CHECK(head.find("AAMAAABk") == std::string::npos);
}

TEST_CASE("HTTP/1.0 stays what it is", "[proxy]") {
  RequestHead old = request({{"Host", "h"}});
  old.minor_version = 0;
  CHECK(passed_head(old, "").find(" HTTP/1.0\r\n") != std::string::npos);
}

TEST_CASE("What came by HTTP/2 gets a Host and a length for HTTP/1.1", "[proxy]") {
  RequestHead head = request({{"content-type", "application/json"}, {"host", "other"}});
  head.http2 = true;
  head.authority = "bedrock-runtime.eu-central-1.amazonaws.com";
  CHECK(passed_head(head, "hello") ==
        "POST /model/eu.amazon.nova-2-lite-v1%3A0/converse?a=b%2Fc HTTP/1.1\r\n"
        "Host: bedrock-runtime.eu-central-1.amazonaws.com\r\n"
        "content-type: application/json\r\n"
        "Content-Length: 5\r\n\r\n");
  head.headers.emplace_back("content-length", "5");
  CHECK(passed_head(head, "hello").find("Content-Length") == std::string::npos);
}

TEST_CASE("No body goes on without its length", "[proxy]") {
  RequestHead head = request({{"host", "h"}});
  CHECK(passed_head(head, "hello").find("Content-Length: 5\r\n") != std::string::npos);
  CHECK(passed_head(head, "").find("Content-Length") == std::string::npos);
  head.http2 = true;  // however little its client said of whom it is for
  CHECK(passed_head(head, "hello").find("Content-Length: 5\r\n") != std::string::npos);
  CHECK_FALSE(is_passed_in_chunks(head));
}

TEST_CASE("A chunked body goes on in one chunk", "[proxy]") {
  RequestHead head = request({{"Host", "h"}, {"Transfer-Encoding", "Chunked"}});
  CHECK_FALSE(is_passed_in_chunks(head));
  head.content_length.reset();
  CHECK(is_passed_in_chunks(head));
  CHECK(passed_head(head, "hello").find("Content-Length") == std::string::npos);
  CHECK(in_chunks("0123456789abcdef0") == "11\r\n0123456789abcdef0\r\n0\r\n\r\n");
  CHECK(in_chunks("") == "0\r\n\r\n");
}

TEST_CASE("The Host must be the host", "[proxy]") {
  const std::string host = "bedrock-runtime.eu-central-1.amazonaws.com";
  const auto meant = [&](const std::string& named) {
    return is_meant_for(request({{"Host", named}}), host, 443);
  };
  CHECK(meant(host));
  CHECK(meant(host + ":443"));
  CHECK(meant("Bedrock-Runtime.eu-central-1.amazonaws.com"));
  CHECK(meant(host + ".:443"));
  CHECK_FALSE(meant(host + "..:443"));
  CHECK_FALSE(meant(host + ":8443"));
  CHECK_FALSE(meant("bedrock-runtime.us-east-1.amazonaws.com"));
  CHECK_FALSE(meant(host + ".evil.test"));
  CHECK_FALSE(meant(""));
  CHECK_FALSE(meant(":443"));
  RequestHead http2 = request({{"host", "other"}});
  http2.authority = host;
  CHECK(is_meant_for(http2, host, 443));
}

}  // namespace invlog::capture

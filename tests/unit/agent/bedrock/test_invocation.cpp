#include "agent/bedrock/invocation.h"

#include "tests/catch.h"

using namespace invlog::bedrock;

TEST_CASE("headers are found whatever their case, the first of several") {
  const Headers headers = {{"Content-Type", "a"}, {"X-Amzn-RequestId", "b"}, {"content-type", "c"}};
  CHECK(header(headers, "content-type") == "a");
  CHECK(header(headers, "x-amzn-requestid") == "b");
  CHECK(header(headers, "X-AMZN-REQUESTID") == "b");
  CHECK(header(headers, "content").empty());
  CHECK(header({}, "content-type").empty());
}

TEST_CASE("only headers that the record needs are kept") {
  for (const char* name :
       {"Content-Type", "content-encoding", "amz-sdk-invocation-id",
        "X-Amzn-Bedrock-Request-Metadata", "X-Amzn-Bedrock-GuardrailIdentifier"}) {
    INFO(name);
    CHECK(kept_request_header(name));
  }
  for (const char* name :
       {"Authorization", "X-Amz-Security-Token", "x-api-key", "Cookie", "X-Amz-Date",
        "Proxy-Authorization", "X-Amz-Content-SHA256", "", "X-Custom", "Host"}) {
    INFO(name);
    CHECK_FALSE(kept_request_header(name));
  }
}

TEST_CASE("outcomes have the names of storage/record.h") {
  CHECK(to_string(Outcome::complete) == "complete");
  CHECK(to_string(Outcome::client_closed) == "client-closed");
  CHECK(to_string(Outcome::upstream_closed) == "upstream-closed");
  CHECK(to_string(Outcome::timeout) == "timeout");
  CHECK(to_string(Outcome::denied) == "denied");
  CHECK(to_string(Outcome::error) == "error");
  CHECK(to_string(Outcome::interrupted) == "interrupted");
}

TEST_CASE("an invocation's memory counts its bodies and headers") {
  Invocation invocation;
  const std::size_t empty = invocation.memory_bytes();
  invocation.request.bytes.assign(1000, 'a');
  invocation.response.bytes.assign(2000, 'b');
  invocation.response_headers.emplace_back("name", std::string(500, 'c'));
  CHECK(invocation.memory_bytes() >= empty + 3500);
}

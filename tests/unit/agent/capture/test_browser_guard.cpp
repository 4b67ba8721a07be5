#include "agent/capture/browser_guard.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

RequestHead request_to(const std::string& host) {
  RequestHead request;
  request.method = "POST";
  request.headers = {{"Host", host}};
  return request;
}

}  // namespace

TEST_CASE("What SDKs send as Host is known") {
  const BrowserGuard guard({}, "vpce-1.internal.example");
  for (const char* host :
       {"127.0.0.1:4180", "127.0.0.1", "[::1]:4180", "[::1]", "localhost:4180", "LOCALHOST",
        "app.localhost:4180", "10.1.2.3:4180", "invlog:4180", "my_host",
        "bedrock-runtime.eu-central-1.amazonaws.com", "Bedrock-Runtime.eu-central-1.amazonaws.com.",
        "bedrock-runtime-fips.us-east-1.amazonaws.com:4180",
        "vpce-0123-abc.bedrock-runtime.eu-central-1.vpce.amazonaws.com",
        "bedrock-runtime.cn-north-1.amazonaws.com.cn", "vpce-1.internal.example:443", ""}) {
    INFO(host);
    CHECK(guard.knows(host));
    CHECK(guard.problem(request_to(host)).empty());
  }
  CHECK(guard.problem(RequestHead{"GET", "/", "", {}, {}}).empty());  // HTTP/1.0 has no Host
}

TEST_CASE("A name that a web page may have is not") {
  const BrowserGuard guard({"invlog.example.com", "*.corp.example"}, "127.0.0.1");
  for (const char* host :
       {"evil.example", "evil.example:4180", "127.0.0.1.evil.example", "localhost.evil.example",
        "evil.example.", "bedrock-runtime.eu-central-1.amazonaws.com.evil.example",
        "bedrock.evil.example", "bucket.s3.amazonaws.com", "user@127.0.0.1", "evil.example/x",
        "corp.example", "xcorp.example", "a.invlog.example.com", ".", "[", "[]", ":", "[::1",
        "1.2.3.4.5"}) {
    INFO(host);
    CHECK_FALSE(guard.knows(host));
    CHECK_FALSE(guard.problem(request_to(host)).empty());
  }
  CHECK(guard.problem(request_to("evil.example")).find("allowed_hosts") != std::string::npos);
  CHECK(guard.problem(request_to(std::string(5000, 'x') + ".example")).size() < 500);
}

TEST_CASE("allowed_hosts adds names") {
  const BrowserGuard guard({"invlog.example.com", "*.corp.example"}, "");
  CHECK(guard.knows("INVLOG.example.com:80"));
  CHECK(guard.knows("a.corp.example"));
  CHECK(guard.knows("a.b.corp.example:4180"));
  CHECK(BrowserGuard({"*"}, "").knows("anything.at.all"));
}

TEST_CASE("Each name of a request counts, and any Origin is refused") {
  const BrowserGuard guard({"*.corp.example"}, "");
  RequestHead request = request_to("127.0.0.1");
  request.authority = "evil.example";
  CHECK_FALSE(guard.problem(request).empty());
  request.authority = "127.0.0.1:4180";
  CHECK(guard.problem(request).empty());
  request.headers.emplace_back("host", "evil.example");
  CHECK_FALSE(guard.problem(request).empty());

  for (const char* origin : {"http://127.0.0.1:4180", "null", ""}) {
    RequestHead from_page = request_to("127.0.0.1");
    from_page.headers.emplace_back("origin", origin);
    CHECK(guard.problem(from_page).find("Origin") != std::string::npos);
  }
}

}  // namespace invlog::capture

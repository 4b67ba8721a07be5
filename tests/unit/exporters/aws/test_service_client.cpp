#include "exporters/aws/service_client.h"

#include <chrono>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::aws;
using invlog::tests::contains;
using invlog::tests::ScriptedHttpClient;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

namespace {

// Sun, 06 Nov 1994 08:49:37 GMT
constexpr std::chrono::system_clock::time_point kClientNow{seconds(784111777)};
const std::pair<std::string, std::string> kDate{"date", "Sun, 06 Nov 1994 08:49:37 GMT"};
const std::pair<std::string, std::string> kHourLater{"date", "Sun, 06 Nov 1994 09:49:37 GMT"};

// Gives key N after having been told N times to forget.
class CountingProvider final : public CredentialsProvider {
 public:
  ProvideResult provide() override {
    if (!error.empty()) {
      return tl::unexpected(CredentialsError(error, may_pass));
    }
    if (empty) {
      return std::nullopt;
    }
    Credentials credentials;
    credentials.access_key_id = "AKID" + std::to_string(forgotten);
    credentials.secret_access_key = "very-secret-key";
    credentials.session_token = token;
    return credentials;
  }
  void forget() override { ++forgotten; }

  int forgotten = 0;
  bool empty = false, may_pass = false;
  std::string error, token;
};

struct Fixture {
  explicit Fixture(std::string service = "logs",
                   std::string endpoint = "https://logs.eu-central-1.amazonaws.com")
      : client(options(std::move(service), std::move(endpoint)), http, provider) {}

  ServiceClientOptions options(std::string service, std::string endpoint) {
    ServiceClientOptions options;
    options.service = std::move(service);
    options.region = "eu-central-1";
    options.endpoint = std::move(endpoint);
    options.clock = [this] { return now; };
    return options;
  }

  std::chrono::system_clock::time_point now = kClientNow;
  ScriptedHttpClient http;
  CountingProvider provider;
  ServiceClient client;
};

ServiceRequest put_log_events() {
  ServiceRequest request;
  request.headers = {{"content-type", "application/x-amz-json-1.1"},
                     {"x-amz-target", "Logs_20140328.PutLogEvents"},
                     {"x-empty", ""}};
  request.body = "{}";
  request.what = "PutLogEvents g";
  return request;
}

std::string field(const std::string& authorization, const std::string& name) {
  const std::size_t at = authorization.find(name + "=");
  REQUIRE(at != std::string::npos);
  const std::size_t start = at + name.size() + 1;
  return authorization.substr(start, authorization.find(',', start) - start);
}

// As the service checks it: the signature over what was sent, by the list of what is signed.
std::string signature_expected(const ScriptedHttpClient::Seen& seen, const std::string& service,
                               const std::string& access_key, const std::string& token,
                               std::chrono::system_clock::time_point now) {
  const std::size_t path = seen.url.find('/', seen.url.find("://") + 3);
  const std::size_t question = std::min(seen.url.find('?', path), seen.url.size());
  const std::string path_text = seen.url.substr(path, question - path);
  const std::string query = question < seen.url.size() ? seen.url.substr(question + 1) : "";
  const std::string hash = sha256_hex(seen.body);
  SigningRequest request;
  request.method = seen.method;
  request.path = path_text;
  request.query = query;
  std::set<std::string> signed_names;
  std::istringstream names(field(seen.header("authorization"), "SignedHeaders"));
  for (std::string name; std::getline(names, name, ';');) {
    signed_names.insert(name);
  }
  for (const auto& [name, value] : seen.headers) {
    if (signed_names.count(name) != 0) {
      request.headers.emplace_back(name, value);
    }
  }
  request.payload_sha256_hex = hash;
  request.normalize_path = request.encode_path_again = service != "s3";
  Credentials credentials;
  credentials.access_key_id = access_key;
  credentials.secret_access_key = "very-secret-key";
  credentials.session_token = token;
  return Signer("eu-central-1", service).sign(request, credentials, now).authorization;
}

}  // namespace

TEST_CASE("a call is signed with all its headers and sent to the endpoint") {
  Fixture fixture;
  fixture.provider.token = "session-token";
  fixture.http.answer(200, "{\"a\":1}");
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(result);
  CHECK(result->body == "{\"a\":1}");
  REQUIRE(fixture.http.seen.size() == 1);
  const auto& seen = fixture.http.seen[0];
  CHECK(seen.method == "POST");
  CHECK(seen.url == "https://logs.eu-central-1.amazonaws.com/");
  CHECK(seen.body == "{}");
  CHECK(seen.header("host") == "logs.eu-central-1.amazonaws.com");
  CHECK(seen.header("x-amz-date") == "19941106T084937Z");
  CHECK(seen.header("x-amz-security-token") == "session-token");
  CHECK(seen.header("x-amz-content-sha256").empty());
  const std::string authorization = seen.header("authorization");
  CHECK(contains(authorization, "Credential=AKID0/19941106/eu-central-1/logs/aws4_request"));
  CHECK(field(authorization, "SignedHeaders") ==
        "content-type;host;x-amz-date;x-amz-security-token;x-amz-target;x-empty");
  CHECK(authorization == signature_expected(seen, "logs", "AKID0", "session-token", kClientNow));
  CHECK(!seen.direct);
}

TEST_CASE("S3 is sent its payload's hash, and its path is signed as it is") {
  Fixture fixture("s3", "http://127.0.0.1:9000/");
  fixture.http.answer(200);
  ServiceRequest request;
  request.method = "PUT";
  request.path = "/bucket/AWSLogs//../dt%3D2026/k";
  request.query = "tagging=&x=%2F";
  request.body = "object";
  REQUIRE(fixture.client.call(request));
  const auto& seen = fixture.http.seen[0];
  CHECK(seen.url == "http://127.0.0.1:9000/bucket/AWSLogs//../dt%3D2026/k?tagging=&x=%2F");
  CHECK(seen.header("host") == "127.0.0.1:9000");
  CHECK(seen.header("x-amz-content-sha256") == sha256_hex("object"));
  CHECK(field(seen.header("authorization"), "SignedHeaders") ==
        "host;x-amz-content-sha256;x-amz-date");
  CHECK(seen.header("authorization") == signature_expected(seen, "s3", "AKID0", "", kClientNow));
}

TEST_CASE("the Host header has a port only where it is not the scheme's own") {
  const std::vector<std::pair<std::string, std::string>> hosts{
      {"https://h.example", "h.example"},          {"https://h.example:443", "h.example"},
      {"https://h.example:80", "h.example:80"},    {"http://h.example:80", "h.example"},
      {"http://h.example:443", "h.example:443"},   {"https://h.example:8443", "h.example:8443"},
      {"http://[::1]:5000/", "[::1]:5000"},        {"http://[fd00:ec2::80]", "[fd00:ec2::80]"},
      {"http://h.example:8080", "h.example:8080"}, {"HTTPS://h.example:443", "h.example"}};
  for (const auto& [endpoint, host] : hosts) {
    Fixture fixture("logs", endpoint);
    fixture.http.answer(200);
    REQUIRE(fixture.client.call(put_log_events()));
    INFO(endpoint);
    CHECK(fixture.http.seen[0].header("host") == host);
  }
}

TEST_CASE("an unsigned call needs no credentials and has no signature") {
  Fixture fixture("sts");
  fixture.provider.empty = true;
  fixture.http.answer(200);
  ServiceRequest request = put_log_events();
  request.sign = false;
  REQUIRE(fixture.client.call(request));
  const auto& seen = fixture.http.seen[0];
  CHECK(seen.header("authorization").empty());
  CHECK(seen.header("x-amz-date").empty());
  CHECK(seen.header("host") == "logs.eu-central-1.amazonaws.com");
}

TEST_CASE("an unsigned call is made once, whatever the answer") {
  Fixture fixture("sts");
  fixture.http.answer(400, R"({"__type":"ExpiredTokenException"})", {kHourLater});
  ServiceRequest request = put_log_events();
  request.sign = false;
  const ServiceResult result = fixture.client.call(request);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::credentials);
  CHECK(fixture.http.seen.size() == 1);
  CHECK(fixture.provider.forgotten == 0);
}

TEST_CASE("without credentials nothing is sent, and the message says what to do") {
  Fixture fixture;
  fixture.provider.empty = true;
  ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::credentials);
  CHECK(contains(result.error().message, "PutLogEvents g: no AWS credentials"));
  CHECK(contains(result.error().message, "invlog doctor"));

  fixture.provider.error = "profile dev: no aws_secret_access_key";
  result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::credentials);
  CHECK(contains(result.error().message, "profile dev: no aws_secret_access_key"));
  CHECK(result.error().no_credentials);

  fixture.provider.error = "profile dev: AssumeRole: Throttling";
  fixture.provider.may_pass = true;
  result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::transient);
  CHECK(result.error().no_credentials);
  CHECK(
      contains(result.error().message, "no AWS credentials: profile dev: AssumeRole: Throttling"));
  CHECK(fixture.http.seen.empty());
  CHECK(fixture.provider.forgotten == 0);
}

TEST_CASE("expired credentials are fetched anew, and the call made once more") {
  Fixture fixture;
  fixture.http.answer(400, R"({"__type":"ExpiredTokenException"})");
  fixture.http.answer(200, "done");
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(result);
  CHECK(result->body == "done");
  CHECK(fixture.provider.forgotten == 1);
  REQUIRE(fixture.http.seen.size() == 2);
  CHECK(contains(fixture.http.seen[1].header("authorization"), "Credential=AKID1/"));
  CHECK(fixture.http.seen[1].headers.size() == fixture.http.seen[0].headers.size());
}

TEST_CASE("credentials that stay expired are a failure after the second answer") {
  Fixture fixture;
  for (int i = 0; i < 5; ++i) {
    fixture.http.answer(403, "<Error><Code>InvalidAccessKeyId</Code></Error>");
  }
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::credentials);
  CHECK(result.error().code == "InvalidAccessKeyId");
  CHECK(fixture.http.seen.size() == 2);
  CHECK(fixture.provider.forgotten == 1);
}

TEST_CASE("a clock that is off is corrected from the answer, and stays corrected") {
  Fixture fixture;
  fixture.http.answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", {kHourLater});
  fixture.http.answer(200);
  fixture.http.answer(200);
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.client.clock_offset() == hours(1));
  CHECK(fixture.http.seen[1].header("x-amz-date") == "19941106T094937Z");
  CHECK(fixture.http.seen[1].header("authorization") ==
        signature_expected(fixture.http.seen[1], "logs", "AKID0", "", kClientNow + hours(1)));
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.http.seen[2].header("x-amz-date") == "19941106T094937Z");
  CHECK(fixture.provider.forgotten == 0);

  // The host's clock was put right: what was learnt is wrong now, and is learnt anew.
  fixture.now = kClientNow + hours(1);
  fixture.http.answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", {kHourLater});
  fixture.http.answer(200);
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.client.clock_offset() == seconds(0));
  CHECK(fixture.http.seen[4].header("x-amz-date") == "19941106T094937Z");
}

TEST_CASE("a wrong signature with a Date far from this host's is the clock's fault") {
  Fixture fixture;
  fixture.http.answer(400, R"({"__type":"InvalidSignatureException","message":"no match"})",
                      {kHourLater});
  fixture.http.answer(200);
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.client.clock_offset() == hours(1));
  CHECK(fixture.provider.forgotten == 0);
}

TEST_CASE("a wrong signature with a Date near this host's is the keys' fault") {
  Fixture fixture;
  fixture.now = kClientNow - minutes(3);
  for (int i = 0; i < 2; ++i) {
    fixture.http.answer(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", {kDate});
  }
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::credentials);
  CHECK(fixture.client.clock_offset() == seconds(0));
  CHECK(fixture.provider.forgotten == 1);
  CHECK(fixture.http.seen.size() == 2);
}

TEST_CASE("no other failure's Date changes the clock") {
  Fixture fixture;
  for (const int status : {500, 403, 404, 429, 301}) {
    // A 403 that gives no reason may be about the signature; this one is not.
    fixture.http.answer(status, "<Error><Code>AccessDenied</Code></Error>", {kHourLater});
    REQUIRE(!fixture.client.call(put_log_events()));
  }
  fixture.http.answer(200, "", {kHourLater});
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.client.clock_offset() == seconds(0));
  CHECK(fixture.http.seen.size() == 6);
}

TEST_CASE("a HEAD that is refused without a reason is the clock's fault if the Date is far off") {
  for (const int status : {400, 403}) {
    Fixture fixture;
    ServiceRequest request = put_log_events();
    request.method = "HEAD";
    fixture.http.answer(status, "", {kHourLater});
    fixture.http.answer(200);
    REQUIRE(fixture.client.call(request));
    CHECK(fixture.client.clock_offset() == hours(1));
  }
  for (const int status : {403, 404}) {
    Fixture fixture;
    ServiceRequest request = put_log_events();
    request.method = "HEAD";
    fixture.http.answer(status, "", {status == 403 ? kDate : kHourLater});
    REQUIRE(!fixture.client.call(request));
    CHECK(fixture.client.clock_offset() == seconds(0));
    CHECK(fixture.http.seen.size() == 1);
  }
}

TEST_CASE("a clock failure without a usable Date is not tried again") {
  for (const HttpHeaders& headers : {HttpHeaders{}, HttpHeaders{{"date", "yesterday"}}}) {
    Fixture fixture;
    fixture.http.answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", headers);
    const ServiceResult result = fixture.client.call(put_log_events());
    REQUIRE(!result);
    CHECK(result.error().kind == FailureKind::clock);
    CHECK(fixture.http.seen.size() == 1);
  }
}

TEST_CASE("a service that calls every clock wrong is asked twice, not for ever") {
  Fixture fixture;
  for (int i = 0; i < 10; ++i) {
    fixture.http.answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>",
                        {i % 2 == 0 ? kHourLater : kDate});
  }
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::clock);
  CHECK(fixture.http.seen.size() == 2);
}

TEST_CASE("a wrong clock and then expired credentials are both put right in one call") {
  Fixture fixture;
  fixture.http.answer(403, "<Error><Code>RequestTimeTooSkewed</Code></Error>", {kHourLater});
  fixture.http.answer(403, "<Error><Code>ExpiredToken</Code></Error>", {kHourLater});
  fixture.http.answer(200);
  REQUIRE(fixture.client.call(put_log_events()));
  CHECK(fixture.http.seen.size() == 3);
}

TEST_CASE("what else fails is not tried again here") {
  using Kind = HttpFailure::Kind;
  Fixture fixture;
  fixture.http.fail(Kind::broken, "host:443: reset");
  ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::transient);
  CHECK(result.error().message == "PutLogEvents g: host:443: reset");
  fixture.http.fail(Kind::cancelled);
  result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::cancelled);
  fixture.http.answer(503, "", {{"retry-after", "3"}});
  result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().retry_after == seconds(3));
  CHECK(fixture.http.seen.size() == 3);
}

TEST_CASE("a redirect is a failure of its own kind") {
  Fixture fixture("s3", "https://b.s3.eu-central-1.amazonaws.com");
  fixture.http.answer(307, "",
                      {{"location", "https://b.s3.us-east-1.amazonaws.com/"},
                       {"x-amz-bucket-region", "us-east-1"}});
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::redirected);
  CHECK(result.error().region == "us-east-1");
  CHECK(fixture.http.seen.size() == 1);
}

TEST_CASE("a secret that the service repeats is in no message") {
  Fixture fixture;
  fixture.provider.token = "session-token-of-somebody";
  fixture.http.answer(400, R"({"__type":"ValidationException","message":)"
                           R"("bad: session-token-of-somebody very-secret-key"})");
  const ServiceResult result = fixture.client.call(put_log_events());
  REQUIRE(!result);
  CHECK(contains(result.error().message, "bad: [hidden] [hidden]"));
}

#include "exporters/aws/service_failure.h"

#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/contains.h"

using namespace invlog::aws;
using invlog::tests::contains;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

HttpResponse response_of(int status, std::string body = "", HttpHeaders headers = {}) {
  HttpResponse response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return response;
}

HttpResponse json_error(int status, const std::string& code, const std::string& message = "m") {
  return response_of(status, R"({"__type":")" + code + R"(","message":")" + message + "\"}");
}

HttpResponse xml_error(int status, const std::string& code, const std::string& message = "m",
                       const std::string& more = "") {
  return response_of(status, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>" + code +
                                 "</Code><Message>" + message + "</Message>" + more +
                                 "<RequestId>R</RequestId></Error>");
}

std::string kind_of(const HttpResponse& response) {
  return name_of(failure_of(response, "What").kind);
}

std::optional<milliseconds> retry_after(HttpHeaders headers) {
  return failure_of(response_of(503, "", std::move(headers)), "What").retry_after;
}

}  // namespace

TEST_CASE("a failed exchange passes by itself, unless it was cancelled or never possible") {
  using Kind = HttpFailure::Kind;
  for (const Kind kind :
       {Kind::resolve, Kind::connect, Kind::tls, Kind::timeout, Kind::broken, Kind::too_large}) {
    const ServiceFailure failure = failure_of(HttpFailure{kind, "host:443: cause"}, "PutObject k");
    CHECK(failure.kind == FailureKind::transient);
    CHECK(failure.status == 0);
    CHECK(failure.message == "PutObject k: host:443: cause");
  }
  CHECK(failure_of(HttpFailure{Kind::cancelled, ""}, "x").kind == FailureKind::cancelled);
  CHECK(failure_of(HttpFailure{Kind::usage, ""}, "x").kind == FailureKind::rejected);
}

TEST_CASE("only what passes without anybody doing anything passes by itself") {
  CHECK(passes_by_itself(FailureKind::transient));
  CHECK(passes_by_itself(FailureKind::throttled));
  for (const FailureKind kind :
       {FailureKind::credentials, FailureKind::clock, FailureKind::denied, FailureKind::redirected,
        FailureKind::not_found, FailureKind::conflict, FailureKind::rejected,
        FailureKind::cancelled}) {
    CHECK(!passes_by_itself(kind));
  }
}

TEST_CASE("the code decides in every form that services give it") {
  const std::string expected = "ThrottlingException";
  const std::vector<HttpResponse> forms{
      json_error(400, "ThrottlingException"),
      json_error(400, "com.amazonaws.logs#ThrottlingException"),
      response_of(400, R"({"code":"ThrottlingException","Message":"m"})"),
      response_of(400, R"( {"Code":"ThrottlingException","errorMessage":"m"})"),
      response_of(400, R"({"__type":5,"code":"ThrottlingException","message":"m"})"),
      response_of(400, "\xEF\xBB\xBF{\"__type\":\"ThrottlingException\",\"message\":\"m\"}"),
      response_of(400, R"({"message":"m"})",
                  {{"x-amzn-errortype", "ThrottlingException:http://internal.amazon.com/x/"}}),
      response_of(400, R"({"message":"m"})",
                  {{"x-amzn-errortype", "com.amazon#ThrottlingException"}}),
      xml_error(400, expected),
      response_of(400,
                  "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>"
                  "<Type>Sender</Type><Code>ThrottlingException</Code><Message>m</Message></Error>"
                  "<RequestId>R</RequestId></ErrorResponse>"),
      response_of(400,
                  "<Response><Errors><Error><Code>ThrottlingException</Code>"
                  "<Message>m</Message></Error></Errors></Response>")};
  for (const HttpResponse& form : forms) {
    INFO(form.body);
    const ServiceFailure failure = failure_of(form, "PutLogEvents g");
    CHECK(failure.code == expected);
    CHECK(failure.kind == FailureKind::throttled);
    CHECK(failure.status == 400);
    CHECK(failure.message == "PutLogEvents g: ThrottlingException: m (HTTP 400)");
  }
}

TEST_CASE("each code has its kind, whatever the status") {
  const std::vector<std::pair<std::string, std::vector<std::string>>> kinds{
      {"throttled",
       {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException",
        "TooManyRequestsException", "ProvisionedThroughputExceededException",
        "TransactionInProgressException", "RequestLimitExceeded", "BandwidthLimitExceeded",
        "LimitExceededException", "RequestThrottled", "SlowDown", "EC2ThrottledException",
        "KMS.ThrottlingException"}},
      {"transient",
       {"RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete", "OperationAborted",
        "OperationAbortedException", "ConditionalRequestConflict", "ServiceUnavailable",
        "ServiceUnavailableException", "InternalError", "InternalFailure",
        "IDPCommunicationError"}},
      {"credentials",
       {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId",
        "UnrecognizedClientException", "InvalidAccessKeyId", "InvalidToken", "TokenRefreshRequired",
        "MissingAuthenticationToken", "MissingAuthenticationTokenException",
        "SignatureDoesNotMatch", "InvalidSignatureException", "AuthFailure", "IncompleteSignature",
        "InvalidIdentityToken"}},
      {"clock", {"RequestTimeTooSkewed", "RequestInTheFuture"}},
      {"redirected",
       {"PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraintException"}},
      {"denied",
       {"AccessDenied", "AccessDeniedException", "AllAccessDisabled", "KMS.DisabledException",
        "KMS.NotFoundException", "RegionDisabledException", "UnauthorizedOperation"}},
      {"not_found", {"NoSuchBucket", "NoSuchKey", "ResourceNotFoundException"}},
      {"conflict", {"ResourceAlreadyExistsException", "PreconditionFailed"}},
      {"rejected",
       {"InvalidParameterException", "EntityTooLarge", "BadDigest", "InvalidArgument",
        "MalformedPolicyDocument", "AuthorizationHeaderMalformed"}}};
  for (const auto& [kind, codes] : kinds) {
    for (const std::string& code : codes) {
      INFO(code);
      CHECK(kind_of(json_error(400, code)) == kind);
      CHECK(kind_of(xml_error(400, code)) == kind);
    }
  }
  // Statuses that say something else.
  CHECK(kind_of(xml_error(409, "ConditionalRequestConflict")) == "transient");
  CHECK(kind_of(xml_error(409, "OperationAborted")) == "transient");
  CHECK(kind_of(xml_error(503, "SlowDown")) == "throttled");
  CHECK(kind_of(xml_error(403, "RequestTimeTooSkewed")) == "clock");
  CHECK(kind_of(xml_error(403, "InvalidAccessKeyId")) == "credentials");
  CHECK(kind_of(xml_error(403, "SignatureDoesNotMatch")) == "credentials");
}

TEST_CASE("without a code that is known the status decides") {
  const std::vector<std::pair<int, std::string>> kinds{
      {200, "transient"},  {301, "redirected"}, {302, "redirected"},  {307, "redirected"},
      {308, "redirected"}, {400, "rejected"},   {401, "credentials"}, {403, "denied"},
      {404, "not_found"},  {405, "rejected"},   {408, "transient"},   {409, "conflict"},
      {411, "rejected"},   {412, "conflict"},   {413, "rejected"},    {429, "throttled"},
      {500, "transient"},  {501, "rejected"},   {502, "transient"},   {503, "transient"},
      {504, "transient"},  {509, "transient"},  {599, "transient"}};
  for (const auto& [status, kind] : kinds) {
    INFO(status);
    CHECK(kind_of(json_error(status, "SomethingNew")) == kind);
    // No service of AWS rejects without a code: that was a proxy, and is not the request's fault,
    // but for its size.
    const std::string without = kind == "rejected" && status != 413 ? "transient" : kind;
    CHECK(kind_of(response_of(status)) == without);
    CHECK(kind_of(response_of(status, "<html><body>Gateway</body></html>")) == without);
  }
}

TEST_CASE("a wrong signature is the clock's fault if the service says so") {
  const std::string expired =
      "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z (20150830T124600Z "
      "- 5 min.)";
  const std::string early =
      "Signature not yet current: 20150830T123600Z is still later than 20150830T121000Z";
  for (const std::string code :
       {"InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure", "RequestExpired"}) {
    CHECK(kind_of(json_error(403, code, expired)) == "clock");
    CHECK(kind_of(json_error(403, code, early)) == "clock");
    CHECK(kind_of(json_error(403, code, "The request signature we calculated does not match")) ==
          "credentials");
  }
}

TEST_CASE("the Region that a service names is given") {
  const ServiceFailure malformed =
      failure_of(xml_error(400, "AuthorizationHeaderMalformed", "the region 'us-east-1' is wrong",
                           "<Region>eu-central-1</Region>"),
                 "HeadBucket b");
  CHECK(malformed.kind == FailureKind::redirected);
  CHECK(malformed.region == "eu-central-1");
  CHECK(contains(malformed.message, "Region eu-central-1"));

  const ServiceFailure head =
      failure_of(response_of(400, "", {{"x-amz-bucket-region", "eu-west-3"}}), "HeadBucket b");
  CHECK(head.region == "eu-west-3");
  CHECK(head.kind == FailureKind::transient);
  CHECK(head.code.empty());

  CHECK(failure_of(response_of(301, "", {{"x-amz-bucket-region", "eu-west-3 <b>\x01"}}), "x")
            .region.empty());
  CHECK(failure_of(response_of(301, "", {{"x-amz-bucket-region", std::string(5000, 'a')}}), "x")
            .region.empty());
}

TEST_CASE("how long to wait is read from seconds, a date or milliseconds, within reason") {
  CHECK(!retry_after({}));
  CHECK(retry_after({{"retry-after", "0"}}) == seconds(0));
  CHECK(retry_after({{"retry-after", "7"}}) == seconds(7));
  CHECK(retry_after({{"x-amz-retry-after", "1500"}}) == milliseconds(1500));
  CHECK(retry_after({{"x-amz-retry-after", "1500"}, {"retry-after", "7"}}) == milliseconds(1500));
  CHECK(retry_after({{"x-amz-retry-after", "soon"}, {"retry-after", "7"}}) == seconds(7));
  // From the answer's Date, so that this host's clock does not matter.
  const std::pair<std::string, std::string> date{"date", "Sun, 06 Nov 1994 08:49:37 GMT"};
  CHECK(retry_after({date, {"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}}) == seconds(60));
  CHECK(retry_after({date, {"retry-after", "Sun, 06 Nov 1994 08:40:00 GMT"}}) == seconds(0));
  CHECK(!retry_after({{"retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"}}));
  // Nonsense.
  CHECK(retry_after({{"retry-after", "999999999999"}}) == hours(24));
  CHECK(retry_after({date, {"retry-after", "Sun, 06 Nov 2094 08:50:37 GMT"}}) == hours(24));
  for (const std::string text : {"", "-5", "+5", "1.5", "5s", "99999999999999999999", "0x10",
                                 "tomorrow", "Sun, 99 Nov 1994 99:99:99 GMT"}) {
    INFO(text);
    CHECK(!retry_after({date, {"retry-after", text}}));
  }
}

TEST_CASE("a message names the call, the cause and the request's id on one bounded line") {
  const ServiceFailure failure =
      failure_of(response_of(403,
                             "<Error><Code>AccessDenied</Code><Message>User: arn:aws:iam::1:"
                             "user/x is not\nauthorized</Message></Error>",
                             {{"x-amz-request-id", "4442587FB7D0A2F9"}}),
                 "PutObject s3://b/k");
  CHECK(
      failure.message ==
      "PutObject s3://b/k: AccessDenied: User: arn:aws:iam::1:user/x is not authorized (HTTP 403, "
      "request 4442587FB7D0A2F9)");
  CHECK(failure_of(response_of(403), "HeadBucket b").message ==
        "HeadBucket b: the service gave no reason (HTTP 403)");
  // The refusal of a place is said once, so it reads the same at each attempt.
  CHECK(failure_of(response_of(301, "", {{"x-amz-request-id", "4442587FB7D0A2F9"}}), "HeadBucket b")
            .message == "HeadBucket b: the service gave no reason (HTTP 301)");
}

TEST_CASE("what a stranger answers gives a short printable message") {
  const std::vector<std::string> bodies{"<html><h1>Login</h1></html>",
                                        std::string("\0\1\2\xFF", 4),
                                        std::string(16 << 20, '{'),
                                        std::string(60'000, '['),
                                        "<Error>" + std::string(50'000, '<'),
                                        "<Error><Code>" + std::string(60'000, 'A'),
                                        "{\"__type\":\"" + std::string(60'000, 'A') + "\"}",
                                        "{\"__type\":\"A\\u001b[31m\",\"message\":\"\\u001b[2J\"}",
                                        "{\"message\":\"" + std::string(60'000, 'm') + "\"}",
                                        "<Error><Message>" + std::string(60'000, 'm'),
                                        "{",
                                        "<",
                                        "\xEF\xBB\xBF"};
  for (const std::string& body : bodies) {
    const ServiceFailure failure = failure_of(
        response_of(400, body, {{"x-amz-request-id", std::string(9000, '\t') + "\x1b"}}), "What");
    CHECK(failure.kind == (failure.code.empty() ? FailureKind::transient : FailureKind::rejected));
    CHECK(failure.code.size() <= 100);
    CHECK(failure.message.size() < 700);
    for (const char byte : failure.message) {
      CHECK((byte >= ' ' && byte < '\x7f'));
    }
  }
}

TEST_CASE("a service's canonical request, which holds the session token, is in no message") {
  const ServiceFailure failure = failure_of(
      json_error(403, "InvalidSignatureException",
                 "The request signature we calculated does not match.\\n\\nThe Canonical String "
                 "for this request should have been\\n'POST\\n/\\n\\nx-amz-security-token:TOKEN'"),
      "PutLogEvents g");
  CHECK(contains(failure.message, "does not match"));
  CHECK(!contains(failure.message, "TOKEN"));
  const ServiceFailure incomplete = failure_of(
      json_error(400, "IncompleteSignatureException",
                 "Authorization header requires 'Signature' parameter. Authorization=AWS4 KEY"),
      "PutLogEvents g");
  CHECK(!contains(incomplete.message, "KEY"));
}

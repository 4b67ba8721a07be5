#include "exporters/aws/sts.h"

#include <chrono>
#include <string>
#include <utility>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog::aws;
using invlog::tests::contains;
using invlog::tests::ScriptedHttpClient;
using std::chrono::seconds;

namespace {

class StaticProvider final : public CredentialsProvider {
 public:
  ProvideResult provide() override {
    Credentials credentials;
    credentials.access_key_id = "AKID";
    credentials.secret_access_key = "very-secret-key";
    return credentials;
  }
};

class NoProvider final : public CredentialsProvider {
 public:
  ProvideResult provide() override { return std::nullopt; }
};

template <typename Provider = StaticProvider>
struct Fixture {
  Fixture() : sts(options(), http, provider) {}
  static ServiceClientOptions options() {
    ServiceClientOptions options;
    options.service = "sts";
    options.region = "eu-central-1";
    options.endpoint = "https://sts.eu-central-1.amazonaws.com";
    options.clock = [] { return std::chrono::system_clock::time_point(seconds(1700000000)); };
    return options;
  }
  ScriptedHttpClient http;
  Provider provider;
  ServiceClient sts;
};

std::string identity(const std::string& account, const std::string& arn) {
  return "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n"
         "  <GetCallerIdentityResult><Arn>" +
         arn + "</Arn><UserId>AIDA</UserId><Account>" + account +
         "</Account></GetCallerIdentityResult>\n"
         "  <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>"
         "</GetCallerIdentityResponse>";
}

std::string assumed(const std::string& action, const std::string& key, const std::string& secret,
                    const std::string& token, const std::string& expiration) {
  return "<" + action + "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" + action +
         "Result><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn>"
         "</AssumedRoleUser><Credentials><AccessKeyId>" +
         key + "</AccessKeyId><SecretAccessKey>" + secret + "</SecretAccessKey><SessionToken>" +
         token + "</SessionToken><Expiration>" + expiration + "</Expiration></Credentials></" +
         action + "Result></" + action + "Response>";
}

AssumeRoleRequest role() {
  AssumeRoleRequest request;
  request.role_arn = "arn:aws:iam::123456789012:role/ship+er";
  request.session_name = "invlog-host@x";
  return request;
}

}  // namespace

TEST_CASE("GetCallerIdentity is a signed form and gives account and ARN") {
  Fixture fixture;
  fixture.http.answer(200, identity("123456789012", "arn:aws-cn:iam::123456789012:user/x"));
  const auto result = get_caller_identity(fixture.sts);
  REQUIRE(result);
  CHECK(result->account_id == "123456789012");
  CHECK(result->arn == "arn:aws-cn:iam::123456789012:user/x");
  const auto& seen = fixture.http.seen.at(0);
  CHECK(seen.method == "POST");
  CHECK(seen.url == "https://sts.eu-central-1.amazonaws.com/");
  CHECK(seen.body == "Action=GetCallerIdentity&Version=2011-06-15");
  CHECK(seen.header("content-type") == "application/x-www-form-urlencoded; charset=utf-8");
  CHECK(contains(seen.header("authorization"), "/eu-central-1/sts/aws4_request"));
}

TEST_CASE("an answer that names no account is not taken for one") {
  for (const std::string& body :
       {std::string(), std::string("<html/>"), std::string("{}"),
        identity("12345678901", "arn:aws:iam::1:user/x"),
        identity("12345678901a", "arn:aws:iam::1:user/x"), identity("", "arn:aws:iam::1:user/x"),
        identity("123456789012", ""), identity("123456789012", "user/x"),
        identity("123456789012", "arn:aws:iam::1:user/x y"),
        identity("123456789012", "arn:" + std::string(3000, 'x')),
        std::string("<GetCallerIdentityResponse>")}) {
    Fixture fixture;
    fixture.http.answer(200, body);
    const auto result = get_caller_identity(fixture.sts);
    INFO(body);
    REQUIRE(!result);
    CHECK(result.error().kind == FailureKind::transient);
    CHECK(result.error().status == 200);
    CHECK(contains(result.error().message, "GetCallerIdentity: "));
  }
}

TEST_CASE("AssumeRole is signed, encoded, and gives credentials with their end") {
  Fixture fixture;
  fixture.http.answer(200, assumed("AssumeRole", "ASIA", "s/+=", "T/+=", "2023-11-14T22:13:20Z"));
  AssumeRoleRequest request = role();
  request.external_id = "a&b=c/d";
  request.duration = seconds(3600);
  const auto result = assume_role(fixture.sts, request);
  REQUIRE(result);
  CHECK(result->access_key_id == "ASIA");
  CHECK(result->secret_access_key == "s/+=");
  CHECK(result->session_token == "T/+=");
  REQUIRE(result->expiration);
  CHECK(*result->expiration == std::chrono::system_clock::time_point(seconds(1700000000)));
  CHECK(result->source.empty());
  CHECK(fixture.http.seen.at(0).body ==
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2F"
        "ship%2Ber&RoleSessionName=invlog-host%40x&ExternalId=a%26b%3Dc%2Fd&DurationSeconds=3600");
  CHECK(!fixture.http.seen.at(0).header("authorization").empty());
}

TEST_CASE("AssumeRoleWithWebIdentity needs no credentials and is not signed") {
  Fixture<NoProvider> fixture;
  fixture.http.answer(
      200, assumed("AssumeRoleWithWebIdentity", "ASIA", "s", "T", "2023-11-14T22:13:20.123Z"));
  AssumeRoleRequest request = role();
  request.web_identity_token = "eyJ.token+/=";
  const auto result = assume_role(fixture.sts, request);
  REQUIRE(result);
  CHECK(*result->expiration == std::chrono::system_clock::time_point(seconds(1700000000)));
  const auto& seen = fixture.http.seen.at(0);
  CHECK(contains(seen.body, "Action=AssumeRoleWithWebIdentity&"));
  CHECK(contains(seen.body, "&WebIdentityToken=eyJ.token%2B%2F%3D"));
  CHECK(!contains(seen.body, "DurationSeconds"));
  CHECK(!contains(seen.body, "ExternalId"));
  CHECK(seen.header("authorization").empty());
}

TEST_CASE("credentials that cannot be used are refused") {
  const std::string good = "2023-11-14T22:13:20Z";
  for (const std::string& body :
       {std::string("<AssumeRoleResponse/>"), assumed("AssumeRole", "", "s", "T", good),
        assumed("AssumeRole", "ASIA", "", "T", good), assumed("AssumeRole", "ASIA", "s", "", good),
        assumed("AssumeRole", "ASIA", "s", "T&#13;&#10;x: y", good),
        assumed("AssumeRole", "AS IA", "s", "T", good),
        assumed("AssumeRole", "ASIA", "s", std::string(20000, 'T'), good),
        assumed("AssumeRoleWithWebIdentity", "ASIA", "s", "T", good)}) {
    Fixture fixture;
    fixture.http.answer(200, body);
    const auto result = assume_role(fixture.sts, role());
    REQUIRE(!result);
    CHECK(result.error().kind == FailureKind::transient);
  }
  for (const std::string expiration :
       {"", "never", "1700000000", "2023-11-14T22:13:20", "2023-11-14 22:13:20Z",
        "2023-13-14T22:13:20Z", "2023-02-30T22:13:20Z", "2023-11-14T24:00:00Z",
        "2023-11-14T22:60:00Z", "2023-11-14T22:13:20.Z", "2023-11-14T22:13:20.xZ",
        "2023-11-14T22:13:20+00:00Z", "20x3-11-14T22:13:20Z", "1011-11-14T22:13:20Z",
        "9999-12-31T23:59:59Z"}) {
    Fixture fixture;
    fixture.http.answer(200, assumed("AssumeRole", "ASIA", "s", "T", expiration));
    INFO(expiration);
    const auto result = assume_role(fixture.sts, role());
    REQUIRE(!result);
    CHECK(contains(result.error().message, "Expiration"));
  }
}

TEST_CASE("what STS would refuse is refused before it is sent") {
  for (const std::string name : {"", "x", "a b", "a/b", "name\r\n",
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
                                 "aaaaa"}) {
    Fixture fixture;
    AssumeRoleRequest request = role();
    request.session_name = name;
    const auto result = assume_role(fixture.sts, request);
    REQUIRE(!result);
    CHECK(result.error().kind == FailureKind::rejected);
    CHECK(contains(result.error().message, "session name"));
    CHECK(fixture.http.seen.empty());
  }
  Fixture fixture;
  AssumeRoleRequest request = role();
  request.role_arn = "shipper";
  const auto result = assume_role(fixture.sts, request);
  REQUIRE(!result);
  CHECK(result.error().kind == FailureKind::rejected);
  CHECK(contains(result.error().message, "arn:aws:iam::"));
}

TEST_CASE("STS's own errors keep their meaning, and no token is in a message") {
  const auto error = [](const std::string& code) {
    return "<ErrorResponse><Error><Code>" + code +
           "</Code><Message>token eyJ.token.of.mine is bad</Message></Error></ErrorResponse>";
  };
  for (const auto& [code, kind] : {std::pair("AccessDenied", FailureKind::denied),
                                   std::pair("ExpiredTokenException", FailureKind::credentials),
                                   std::pair("InvalidIdentityToken", FailureKind::credentials),
                                   std::pair("IDPCommunicationError", FailureKind::transient),
                                   std::pair("RegionDisabledException", FailureKind::denied),
                                   std::pair("PackedPolicyTooLarge", FailureKind::rejected)}) {
    Fixture fixture;
    fixture.http.answer(400, error(code));
    AssumeRoleRequest request = role();
    request.web_identity_token = "eyJ.token.of.mine";
    const auto result = assume_role(fixture.sts, request);
    REQUIRE(!result);
    INFO(code);
    CHECK(result.error().kind == kind);
    CHECK(result.error().code == code);
    CHECK(!contains(result.error().message, "eyJ.token.of.mine"));
    CHECK(contains(result.error().message, "AssumeRoleWithWebIdentity arn:aws:iam::123456789012:"));
  }
}

#include "exporters/aws/credential_json.h"

#include <string>

#include "exporters/aws/iso_time.h"
#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using invlog::tests::contains;
using Form = CredentialJsonForm;

namespace {

std::string problem(const std::string& json, Form form) {
  const auto credentials = parse_credential_json(json, form);
  return credentials ? "none" : credentials.error();
}

}  // namespace

TEST_CASE("the three forms of credentials in JSON are read") {
  auto credentials = parse_credential_json(
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":"T",)"
      R"("Expiration":"2026-10-05T14:03:59Z","AccountId":"123456789012"})",
      Form::process);
  REQUIRE(credentials);
  CHECK(credentials->access_key_id == "A");
  CHECK(credentials->secret_access_key == "S");
  CHECK(credentials->session_token == "T");
  CHECK(iso_time(credentials->expiration.value()) == "2026-10-05T14:03:59Z");

  credentials = parse_credential_json(
      R"({"Version":1,"AccessKeyId":"A","SecretAccessKey":"S","SessionToken":null,"Expiration":null})",
      Form::process);
  REQUIRE(credentials);
  CHECK(credentials->session_token.empty());
  CHECK(!credentials->expiration);

  for (const Form form : {Form::container, Form::imds}) {
    credentials = parse_credential_json(
        " \n"
        R"({"Code":"Success","LastUpdated":"x","Type":"AWS-HMAC","AccessKeyId":"A",)"
        R"("SecretAccessKey":"S","Token":"T","Expiration":"2026-10-05T14:03:59Z"})",
        form);
    REQUIRE(credentials);
    CHECK(credentials->session_token == "T");
    CHECK(credentials->expiration);
  }
}

TEST_CASE("JSON that holds no usable credentials is refused by the member, never its value") {
  const std::string hush = "HUSHHUSHHUSH";
  struct Case {
    std::string json;
    Form form;
    std::string expected;
  };
  const std::string id = R"("AccessKeyId":"A")", secret = R"("SecretAccessKey":")" + hush + "\"";
  const Case cases[] = {
      {"", Form::process, "not a JSON object"},
      {"[]", Form::process, "not a JSON object"},
      {"\"" + hush + "\"", Form::imds, "not a JSON object"},
      {"{\"SecretAccessKey\":\"" + hush, Form::container, "not a JSON object"},
      {"{" + id + "," + secret + "}", Form::process, "Version is not the number 1"},
      {"{\"Version\":2," + id + "," + secret + "}", Form::process, "Version is not the number 1"},
      {"{\"Version\":\"1\"," + id + "," + secret + "}", Form::process,
       "Version is not the number 1"},
      {"{\"Version\":1," + secret + "}", Form::process, "AccessKeyId is missing"},
      {"{\"Version\":1," + id + "}", Form::process, "SecretAccessKey is missing"},
      {"{\"Version\":1,\"AccessKeyId\":7," + secret + "}", Form::process, "AccessKeyId is missing"},
      {"{\"Version\":1,\"AccessKeyId\":\"A\\r\\nX: " + hush + "\"," + secret + "}", Form::process,
       "AccessKeyId has characters"},
      {"{\"Version\":1," + id + ",\"SecretAccessKey\":\"" + hush + "\\n\"}", Form::process,
       "SecretAccessKey has characters"},
      {"{\"Version\":1," + id + "," + secret + ",\"SessionToken\":\"" + hush + " x\"}",
       Form::process, "SessionToken has characters"},
      {"{\"Version\":1," + id + "," + secret + ",\"Expiration\":\"" + hush + "\"}", Form::process,
       "Expiration is not a time"},
      {"{\"Version\":1," + id + "," + secret + ",\"Expiration\":17}", Form::process,
       "Expiration is not a time"},
      {"{" + id + "," + secret + "}", Form::container, "Token is missing"},
      {"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"Message\":\"EC2 cannot assume\\nthe role\"}",
       Form::imds, "Code is AssumeRoleUnauthorizedAccess: EC2 cannot assume the role"},
      {"{\"Code\":\"Failed\"," + id + "," + secret + ",\"Token\":\"T\"}", Form::imds,
       "Code is Failed"}};
  for (const Case& each : cases) {
    INFO(each.json);
    const std::string found = problem(each.json, each.form);
    CHECK(contains(found, each.expected));
    CHECK(!contains(found, hush));
  }
  CHECK(problem("{\"x\":\"" + std::string(300 << 10, 'x') + "\"}", Form::imds) ==
        "not a JSON object");
}

TEST_CASE("an error answer's own words are found, on one line and not too long") {
  CHECK(error_in_json(R"({"code":"AccessDenied","message":"no\u0007 role\n here"})") ==
        "AccessDenied: no role here");
  CHECK(error_in_json(R"({"Code":"Failed"})") == "Failed");
  CHECK(error_in_json(R"({"Message":"why"})") == "why");
  CHECK(error_in_json("<html>404</html>") == "");
  CHECK(error_in_json("") == "");
  CHECK(error_in_json(R"({"message":")" + std::string(5000, 'x') + "\"}").size() <= 300);
}

#include "agent/capture/client_signature.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

ClientSignature of_headers(Headers headers) {
  return client_signature({"POST", "/", "", std::move(headers), 0});
}

}  // namespace

TEST_CASE("Of a signature only whose key and when is kept", "[proxy]") {
  const ClientSignature signature =
      of_headers({{"authorization",
                   "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260411/eu-central-1/bedrock/"
                   "aws4_request, SignedHeaders=host;x-amz-date, Signature=0123abcd"},
                  {"X-Amz-Date", "20260411T101112Z"}});
  CHECK(signature.access_key_id == "AKIAIOSFODNN7EXAMPLE");
  CHECK(signature.signed_at == "2026-04-11T10:11:12Z");
}

TEST_CASE("A presigned URL says the same in its query", "[proxy]") {
  const ClientSignature signature = client_signature(
      {"POST",
       "/model/m/invoke?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIAEXAMPLE%2F20260411"
       "%2Feu-central-1%2Fbedrock%2Faws4_request&X-Amz-Date=20260411T101112Z&X-Amz-Signature=ff",
       "",
       {},
       0});
  CHECK(signature.access_key_id == "ASIAEXAMPLE");
  CHECK(signature.signed_at == "2026-04-11T10:11:12Z");
}

TEST_CASE("What is no signature of AWS's leaves nothing behind", "[proxy]") {
  CHECK(of_headers({}).access_key_id == "");
  CHECK(of_headers({{"Authorization", "Bearer ABSKsecret"}}).access_key_id == "");
  CHECK(of_headers({{"Authorization", "AWS4-HMAC-SHA256 Signature=abc"}}).access_key_id == "");
  CHECK(of_headers({{"Authorization", "AWS4-HMAC-SHA256 Credential=, Signature=abc"}})
            .access_key_id == "");
  CHECK(of_headers({{"Authorization", "AWS4-HMAC-SHA256 Credential=a secret/x"}}).access_key_id ==
        "");
  CHECK(
      of_headers({{"Authorization", "AWS4-HMAC-SHA256 Credential=" + std::string(200, 'A') + "/"}})
          .access_key_id == "");
}

TEST_CASE("A time in another form is left out", "[proxy]") {
  const auto signed_at = [](const std::string& date) {
    return of_headers(
               {{"Authorization", "AWS4-HMAC-SHA256 Credential=AKIA/1"}, {"X-Amz-Date", date}})
        .signed_at;
  };
  CHECK(signed_at("20260411T101112Z") == "2026-04-11T10:11:12Z");
  CHECK(signed_at("20260411T10111ZZ") == "");
  CHECK(signed_at("Sat, 11 Apr 2026") == "");
  CHECK(signed_at("") == "");
}

}  // namespace invlog::capture

#include "exporters/aws/sigv4.h"

#include <simdjson.h>

#include <string>
#include <vector>

#include "tests/catch.h"
#include "tests/shared_files.h"

using namespace invlog::aws;

namespace {

// A request of the vectors: HTTP/1.1 text whose header values may go on in the next line.
struct ParsedRequest {
  std::string method, path, query, body;
  std::vector<std::pair<std::string, std::string>> headers;
};

ParsedRequest parse_request(const std::string& text) {
  ParsedRequest request;
  const std::string first_line = text.substr(0, text.find('\n'));
  const std::size_t method_end = first_line.find(' ');
  const std::size_t target_end = first_line.rfind(" HTTP/1.1");
  request.method = first_line.substr(0, method_end);
  const std::string target = first_line.substr(method_end + 1, target_end - method_end - 1);
  const std::size_t question_mark = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question_mark);
  request.query = question_mark < target.size() ? target.substr(question_mark + 1) : "";
  std::size_t begin = first_line.size() + 1;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.empty()) {
      request.body = begin < text.size() ? text.substr(begin) : "";
      break;
    }
    if (line.front() == ' ') {
      request.headers.back().second += "\n" + line;
    } else {
      const std::size_t colon = line.find(':');
      request.headers.emplace_back(line.substr(0, colon), line.substr(colon + 1));
    }
  }
  return request;
}

std::string string_at(const simdjson::dom::element& object, const char* pointer) {
  std::string_view text;
  return object.at_pointer(pointer).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

bool bool_at(const simdjson::dom::element& object, const char* pointer) {
  bool value = false;
  return object.at_pointer(pointer).get(value) == simdjson::SUCCESS && value;
}

// 2015-08-30T12:36:00Z, the time of every vector.
const auto kVectorTime = std::chrono::system_clock::from_time_t(1440938160);
const std::string kEmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Credentials example_credentials() {
  Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  return credentials;
}

SigningRequest post(std::string_view path) {
  SigningRequest request;
  request.method = "POST";
  request.path = path;
  request.headers = {{"Host", "bedrock-runtime.eu-central-1.amazonaws.com"},
                     {"Content-Type", "application/json"}};
  request.payload_sha256_hex = kEmptyHash;
  return request;
}

// The second line of the canonical request.
std::string canonical_path_of(std::string_view path) {
  Signer signer("eu-central-1", "bedrock");
  const std::string canonical =
      signer.sign(post(path), example_credentials(), kVectorTime).canonical_request;
  const std::size_t begin = canonical.find('\n') + 1;
  return canonical.substr(begin, canonical.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE("the 38 official vectors are signed as awslabs/aws-c-auth signs them") {
  const auto path = invlog::tests::shared_file("vectors/sigv4.ndjson");
  if (!path) {
    return;
  }
  simdjson::dom::parser parser;
  std::ifstream file(*path);
  int cases = 0;
  for (std::string line; std::getline(file, line);) {
    const simdjson::dom::element vector = parser.parse(line);
    INFO(string_at(vector, "/name"));
    ++cases;
    const ParsedRequest parsed = parse_request(string_at(vector, "/request"));
    Credentials credentials;
    credentials.access_key_id = string_at(vector, "/context/credentials/access_key_id");
    credentials.secret_access_key = string_at(vector, "/context/credentials/secret_access_key");
    // "omit" means: the token travels with the request, but is no part of what is signed.
    if (!bool_at(vector, "/context/omit_session_token")) {
      credentials.session_token = string_at(vector, "/context/credentials/token");
    }
    const bool sign_body = bool_at(vector, "/context/sign_body");
    const std::string hash = sha256_hex(sign_body ? parsed.body : "");
    SigningRequest request;
    request.method = parsed.method;
    request.path = parsed.path;
    request.query = parsed.query;
    request.headers.assign(parsed.headers.begin(), parsed.headers.end());
    if (sign_body) {
      request.headers.emplace_back("x-amz-content-sha256", hash);
    }
    request.payload_sha256_hex = hash;
    request.normalize_path = bool_at(vector, "/context/normalize");
    Signer signer(string_at(vector, "/context/region"), string_at(vector, "/context/service"));

    const Signature signature = signer.sign(request, credentials, kVectorTime);

    REQUIRE(string_at(vector, "/context/timestamp") == "2015-08-30T12:36:00Z");
    CHECK(signature.amz_date == "20150830T123600Z");
    CHECK(signature.canonical_request == string_at(vector, "/header_canonical_request"));
    CHECK(signature.string_to_sign == string_at(vector, "/header_string_to_sign"));
    const std::string expected = string_at(vector, "/header_signature");
    CHECK(signature.authorization.substr(signature.authorization.rfind('=') + 1) == expected);
    CHECK(string_at(vector, "/header_signed_request").find(signature.authorization) !=
          std::string::npos);
  }
  CHECK(cases == 38);
}

TEST_CASE("the query of the vectors' presigned form is canonical once sorted and encoded") {
  const auto path = invlog::tests::shared_file("vectors/sigv4.ndjson");
  if (!path) {
    return;
  }
  simdjson::dom::parser parser;
  std::ifstream file(*path);
  for (std::string line; std::getline(file, line);) {
    const simdjson::dom::element vector = parser.parse(line);
    INFO(string_at(vector, "/name"));
    const ParsedRequest presigned = parse_request(string_at(vector, "/query_signed_request"));
    std::string query = presigned.query;
    query = query.substr(0, query.find("&X-Amz-Signature="));
    if (bool_at(vector, "/context/omit_session_token")) {
      const std::size_t token = query.find("&X-Amz-Security-Token=");
      if (token != std::string::npos) {
        query.erase(token, std::min(query.find('&', token + 1), query.size()) - token);
      }
    }
    SigningRequest request;
    request.method = presigned.method;
    request.path = presigned.path;
    request.query = query;
    request.headers = {{"host", "example.amazonaws.com"}};
    request.payload_sha256_hex = kEmptyHash;
    request.normalize_path = bool_at(vector, "/context/normalize");
    Signer signer("us-east-1", "service");
    const std::string ours =
        signer.sign(request, example_credentials(), kVectorTime).canonical_request;
    const auto first_three_lines = [](const std::string& text) {
      return text.substr(0, text.find('\n', text.find('\n', text.find('\n') + 1) + 1));
    };
    CHECK(first_three_lines(ours) ==
          first_three_lines(string_at(vector, "/query_canonical_request")));
  }
}

TEST_CASE("Bedrock's paths are encoded once more than on the wire") {
  // What the live service answered that the canonical string should have been:
  // facts/aws-delivery.md §5.2.
  CHECK(canonical_path_of("/model/us.anthropic.claude-sonnet-4-20250514-v1%3A0/converse-stream") ==
        "/model/us.anthropic.claude-sonnet-4-20250514-v1%253A0/converse-stream");
  CHECK(canonical_path_of(
            "/model/us.anthropic.claude-3-7-sonnet-20250219-v1:0/invoke-with-response-stream") ==
        "/model/us.anthropic.claude-3-7-sonnet-20250219-v1%3A0/invoke-with-response-stream");
  CHECK(canonical_path_of("/model/arn%3Aaws%3Abedrock%3Aeu-central-1%3A123456789012%3A"
                          "application-inference-profile%2Fabc/converse") ==
        "/model/arn%253Aaws%253Abedrock%253Aeu-central-1%253A123456789012%253A"
        "application-inference-profile%252Fabc/converse");
  CHECK(canonical_path_of("/model/\xc3\xa9\xe1\x88\xb4/converse") ==
        "/model/%C3%A9%E1%88%B4/converse");
  CHECK(canonical_path_of("/a/../b//c/") == "/a/../b//c/");
  CHECK(canonical_path_of("") == "/");
}

TEST_CASE("S3's paths are signed as on the wire") {
  Signer signer("eu-central-1", "s3");
  SigningRequest request = post("/bucket/dt%3D2026/a%20b");
  request.encode_path_again = false;
  const Signature signature = signer.sign(request, example_credentials(), kVectorTime);
  CHECK(signature.canonical_request.substr(0, 30) == "POST\n/bucket/dt%3D2026/a%20b\n\n");
}

TEST_CASE("a signature with a session token, computed independently") {
  // Expected values: Python's hmac and hashlib over the canonical request written out by hand.
  Signer signer("eu-central-1", "bedrock");
  Credentials credentials = example_credentials();
  credentials.session_token = "AQoDYXdz//EXAMPLE+token==";
  SigningRequest request = post("/model/eu.amazon.nova-2-lite-v1%3A0/converse");
  const std::string hash = sha256_hex(R"({"messages":[]})");
  request.payload_sha256_hex = hash;
  const Signature signature = signer.sign(request, credentials, kVectorTime);
  CHECK(signature.security_token == credentials.session_token);
  CHECK(signature.canonical_request ==
        "POST\n/model/eu.amazon.nova-2-lite-v1%253A0/converse\n\n"
        "content-type:application/json\nhost:bedrock-runtime.eu-central-1.amazonaws.com\n"
        "x-amz-date:20150830T123600Z\nx-amz-security-token:AQoDYXdz//EXAMPLE+token==\n\n"
        "content-type;host;x-amz-date;x-amz-security-token\n" +
            hash);
  CHECK(signature.authorization ==
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, "
        "Signature=495e18cfe4642cb28d86c8d86252df36d948915fa50a185e6335076b94aed952");
}

TEST_CASE("the cached signing key follows the day and the secret") {
  Signer reused("eu-central-1", "bedrock");
  const auto fresh = [](const Credentials& credentials, std::chrono::system_clock::time_point now) {
    return Signer("eu-central-1", "bedrock").sign(post("/"), credentials, now).authorization;
  };
  Credentials other = example_credentials();
  other.secret_access_key = "another";
  for (const auto& credentials : {example_credentials(), other, example_credentials()}) {
    for (const int hours : {0, 1, 12, 36}) {
      const auto now = kVectorTime + std::chrono::hours(hours);
      CHECK(reused.sign(post("/"), credentials, now).authorization == fresh(credentials, now));
    }
  }
}

TEST_CASE("a date or token header among the caller's is not signed twice") {
  Signer signer("eu-central-1", "bedrock");
  SigningRequest request = post("/");
  const std::string clean =
      signer.sign(request, example_credentials(), kVectorTime).canonical_request;
  request.headers.emplace_back("X-Amz-Date", "19990101T000000Z");
  request.headers.emplace_back("X-Amz-Security-Token", "stale");
  CHECK(signer.sign(request, example_credentials(), kVectorTime).canonical_request == clean);
}

TEST_CASE("queries are sorted by name, then value, and encoded once") {
  Signer signer("eu-central-1", "bedrock");
  SigningRequest request = post("/");
  request.query = "b=2&a=2&a=1&empty&c=%2f+&d=100%&&e=x=y";
  const std::string canonical =
      signer.sign(request, example_credentials(), kVectorTime).canonical_request;
  CHECK(canonical.substr(7, canonical.find('\n', 7) - 7) ==
        "a=1&a=2&b=2&c=%2F%2B&d=100%25&e=x%3Dy&empty=");
}

TEST_CASE("SHA-256 as FIPS 180-2's examples have it") {
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("") == kEmptyHash);
  CHECK(sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

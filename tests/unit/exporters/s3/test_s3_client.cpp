#include "exporters/s3/s3_client.h"

#include "exporters/s3/content_checksum.h"
#include "tests/catch.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog;
using namespace invlog::exporters;
using aws::FailureKind;

namespace {

struct Client {
  explicit Client(S3Options from = test_options()) : options(std::move(from)) {}

  tl::expected<void, aws::ServiceFailure> put(const std::string& key, std::string_view bytes,
                                              aws::HttpHeaders metadata = {}) {
    return S3Client(options, s3, credentials, test_time)
        .put({key, bytes, "application/json", std::move(metadata)});
  }

  S3Options options;
  FakeS3 s3;
  FixedCredentials credentials;
};

// The answer to the next call of this method is lost.
FakeS3::Fault lose_one(const std::string& method) {
  return [method, lost = false](const FakeS3::Call& call) mutable {
    if (lost || call.method != method) {
      return std::optional<aws::HttpResult>();
    }
    lost = true;
    return std::optional<aws::HttpResult>(
        tl::unexpected(aws::HttpFailure{aws::HttpFailure::Kind::broken, "the connection ended"}));
  };
}

}  // namespace

TEST_CASE("An object goes out with its checksum, and without a Content-Encoding") {
  for (const Checksum checksum : {Checksum::sha256, Checksum::crc32, Checksum::crc32c}) {
    Client client;
    client.options.checksum = checksum;
    REQUIRE(client.put("a/b.json.gz", "bytes"));
    REQUIRE(client.s3.objects.count("a/b.json.gz") == 1);
    const auto& headers = client.s3.objects["a/b.json.gz"].headers;
    CHECK(headers.at(checksum_header(checksum)) == checksum_value(checksum, "bytes"));
    CHECK(headers.at("content-type") == "application/json");
    for (const char* absent :
         {"content-encoding", "x-amz-server-side-encryption", "x-amz-tagging",
          "x-amz-storage-class", "x-amz-server-side-encryption-aws-kms-key-id",
          "x-amz-expected-bucket-owner", "x-amz-server-side-encryption-bucket-key-enabled",
          "if-none-match", "x-amz-trailer"}) {
      CAPTURE(absent);
      CHECK(headers.count(absent) == 0);
    }
  }
}

TEST_CASE("Encryption, owner, storage class and tags go with every object") {
  Client client;
  client.options.encryption = "aws:kms";
  client.options.kms_key_id = "arn:aws:kms:eu-central-1:111122223333:key/1";
  client.options.bucket_key = true;
  client.options.expected_bucket_owner = "111122223333";
  client.options.storage_class = "STANDARD_IA";
  client.options.tags = {{"cost centre", "a&b=c"}, {"team", "plätform"}};
  client.s3.owner = "111122223333";
  REQUIRE(client.put("k", "bytes"));
  const auto& headers = client.s3.objects["k"].headers;
  CHECK(headers.at("x-amz-server-side-encryption") == "aws:kms");
  CHECK(headers.at("x-amz-server-side-encryption-aws-kms-key-id") ==
        "arn:aws:kms:eu-central-1:111122223333:key/1");
  CHECK(headers.at("x-amz-server-side-encryption-bucket-key-enabled") == "true");
  CHECK(headers.at("x-amz-expected-bucket-owner") == "111122223333");
  CHECK(headers.at("x-amz-storage-class") == "STANDARD_IA");
  CHECK(headers.at("x-amz-tagging") == "cost%20centre=a%26b%3Dc&team=pl%C3%A4tform");

  client.s3.owner = "444455556666";
  const auto foreign = client.put("k2", "bytes");
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().kind == FailureKind::denied);
}

TEST_CASE("An answer that is not S3's has stored nothing, whatever its status") {
  for (const int status : {200, 202, 204, 206}) {
    Client client;
    client.s3.before = [status](const FakeS3::Call&) {
      aws::HttpResponse login;
      login.status = status;
      login.headers.emplace_back("content-type", "text/html");
      login.body = "<html>Please log in</html>";
      return aws::HttpResult(login);
    };
    const auto put = client.put("k", "bytes");
    REQUIRE_FALSE(put);
    CHECK(put.error().kind == FailureKind::transient);
    CHECK_THAT(put.error().message, contains_text("PutObject s3://records-eu/k") &&
                                        contains_text(std::to_string(status)) &&
                                        contains_text("not S3's answer"));
    CHECK(client.s3.objects.empty());
  }
}

TEST_CASE("Keys are encoded as S3 signs them") {
  Client client;
  const std::string key = "dt=2026 09/a+b/ü:~_.-(x)/y%z&?#";
  REQUIRE(client.put(key, "bytes"));
  CHECK(client.s3.objects.count(key) == 1);
  CHECK(client.s3.calls.back().url ==
        "https://records-eu.s3.eu-central-1.amazonaws.com/"
        "dt%3D2026%2009/a%2Bb/%C3%BC%3A~_.-%28x%29/y%25z%26%3F%23");
}

TEST_CASE("A long object has the time that a slow line needs for it") {
  Client client;
  REQUIRE(client.put("small", "bytes"));
  CHECK(client.s3.calls.back().timeout == std::chrono::seconds(60));
  REQUIRE(client.put("large", std::string(6'400'000, 'x')));
  CHECK(client.s3.calls.back().timeout > std::chrono::seconds(150));
}

TEST_CASE("The bucket stands in the host or in the path") {
  struct Row {
    const char *bucket, *endpoint;
    bool path_style;
    const char* url;
  };
  const Row table[] = {
      {"records-eu", "", false, "https://records-eu.s3.eu-central-1.amazonaws.com/k"},
      {"records-eu", "", true, "https://s3.eu-central-1.amazonaws.com/records-eu/k"},
      // No certificate is valid for a name with more dots.
      {"records.eu", "", false, "https://s3.eu-central-1.amazonaws.com/records.eu/k"},
      {"records-eu", "http://127.0.0.1:9000", true, "http://127.0.0.1:9000/records-eu/k"},
      {"records-eu", "http://127.0.0.1:9000", false, "http://127.0.0.1:9000/records-eu/k"},
      {"records-eu", "https://minio.internal:9000", false,
       "https://records-eu.minio.internal:9000/k"},
      {"records.eu", "http://minio.internal", false, "http://records.eu.minio.internal/k"},
      {"records.eu", "https://minio.internal", false, "https://minio.internal/records.eu/k"}};
  for (const Row& row : table) {
    Client client;
    client.options.bucket = client.s3.bucket = row.bucket;
    client.options.endpoint = row.endpoint;
    client.options.path_style = row.path_style;
    const std::string url = row.url;
    client.s3.host = url.substr(url.find("://") + 3);
    client.s3.path_style = client.s3.host.find("/records") != std::string::npos;
    client.s3.host.resize(client.s3.host.find('/'));
    CAPTURE(url);
    REQUIRE(client.put("k", "bytes"));
    CHECK(client.s3.calls.back().url == url);
  }
}

TEST_CASE("With If-None-Match an object whose answer was lost counts as stored") {
  for (const bool checksums : {true, false}) {
    Client client;
    client.options.if_none_match = true;
    client.s3.stores_checksums = checksums;
    client.s3.after = lose_one("PUT");
    const auto lost = client.put("k", "bytes");
    REQUIRE_FALSE(lost);
    CHECK(lost.error().kind == FailureKind::transient);
    CHECK(client.put("k", "bytes"));
    CHECK(client.s3.count("HEAD") == 1);
    CHECK(client.s3.objects["k"].bytes == "bytes");
  }
}

TEST_CASE("With If-None-Match another object of that name is not replaced and not taken for ours") {
  Client client;
  REQUIRE(client.put("k", "other"));
  client.options.if_none_match = true;
  const auto refused = client.put("k", "bytes");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == FailureKind::rejected);
  CHECK(refused.error().message.find("s3://records-eu/k") != std::string::npos);
  CHECK(client.s3.objects["k"].bytes == "other");
  client.s3.stores_checksums = false;
  CHECK_FALSE(client.put("k", "longer"));
}

TEST_CASE("With If-None-Match an object of the same records counts as stored, erased or not") {
  const aws::HttpHeaders ours = {{kHostHeader, "host-7"}, {kRecordsHeader, "1-2"}};
  Client client;
  REQUIRE(client.put("k", "with a body", ours));
  client.options.if_none_match = true;
  CHECK(client.put("k", "without", ours));
  CHECK(client.s3.objects["k"].bytes == "with a body");
  const aws::HttpHeaders others[] = {{{kHostHeader, "host-7"}, {kRecordsHeader, "1-3"}},
                                     {{kHostHeader, "host-8"}, {kRecordsHeader, "1-2"}},
                                     {{kHostHeader, "host-7"}},
                                     {}};
  for (const aws::HttpHeaders& metadata : others) {
    const auto refused = client.put("k", "without", metadata);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().kind == FailureKind::rejected);
  }
}

TEST_CASE(
    "With If-None-Match a write at the same moment is tried again, and a HEAD must be allowed") {
  Client client;
  client.options.if_none_match = true;
  const auto answer = [](int status, const char* code) {
    return [status, body = std::string("<Error><Code>") + code +
                           "</Code></Error>"](const FakeS3::Call& call) {
      aws::HttpResponse response;
      response.status = call.method == "HEAD" ? 403 : status;
      response.body = call.method == "HEAD" ? "" : body;
      return std::optional<aws::HttpResult>(response);
    };
  };
  client.s3.before = answer(409, "ConditionalRequestConflict");
  CHECK(client.put("k", "bytes").error().kind == FailureKind::transient);
  client.s3.before = answer(409, "SomethingElse");
  CHECK(client.put("k", "bytes").error().kind == FailureKind::transient);
  client.s3.before = answer(412, "PreconditionFailed");
  const auto denied = client.put("k", "bytes");
  REQUIRE_FALSE(denied);
  CHECK(denied.error().kind == FailureKind::denied);
  CHECK(denied.error().message.find("s3:GetObject") != std::string::npos);
}

TEST_CASE("Every answer that names another Region is a redirect, on every call") {
  struct Row {
    int status;
    aws::HttpHeaders headers;
    const char* body;
  };
  const Row table[] = {
      {301, {}, "<Error><Code>PermanentRedirect</Code></Error>"},
      {307, {{"location", "https://elsewhere"}}, ""},
      {400,
       {},
       "<Error><Code>AuthorizationHeaderMalformed</Code><Region>us-east-1</Region></Error>"},
      {403, {{"x-amz-bucket-region", "us-east-1"}}, "<Error><Code>AccessDenied</Code></Error>"},
      {503, {{"x-amz-bucket-region", "us-east-1"}}, "<Error><Code>SlowDown</Code></Error>"},
      {200, {{"x-amz-bucket-region", "us-east-1"}}, ""}};
  for (const Row& row : table) {
    Client client;
    client.s3.before = [&row](const FakeS3::Call&) {
      aws::HttpResponse response;
      response.status = row.status;
      response.headers = row.headers;
      response.body = row.body;
      return std::optional<aws::HttpResult>(response);
    };
    CAPTURE(row.status, row.body);
    const auto result = client.put("k", "bytes");
    REQUIRE_FALSE(result);
    CHECK(result.error().kind == FailureKind::redirected);
    CHECK(client.s3.calls.size() == 1);
  }
}

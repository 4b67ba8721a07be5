#include "exporters/s3/region_guard.h"

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog;
using namespace invlog::exporters;
using aws::FailureKind;
using invlog::tests::contains;

namespace {

struct Guard {
  S3Options options = test_options();
  FakeS3 s3;
  FixedCredentials credentials;

  tl::expected<void, aws::ServiceFailure> prove() {
    S3Client client(options, s3, credentials, test_time);
    return prove_region(client);
  }
  // As the least configuration for a compatible store.
  void attest() {
    options.endpoint = "http://127.0.0.1:9000";
    options.path_style = true;
    options.region_attested = true;
    s3.host = "127.0.0.1:9000";
    s3.path_style = true;
  }
};

}  // namespace

TEST_CASE("A bucket that says it is in the source Region is proven, permission or not") {
  for (const int status : {200, 403, 400}) {
    Guard guard;
    guard.s3.head_bucket_status = status;
    CAPTURE(status);
    CHECK(guard.prove());
    REQUIRE(guard.s3.calls.size() == 1);
    CHECK(guard.s3.calls[0].method == "HEAD");
    CHECK(guard.s3.calls[0].url == "https://records-eu.s3.eu-central-1.amazonaws.com/");
  }
}

TEST_CASE("A bucket of another Region is refused, whatever the status") {
  for (const bool attested : {false, true}) {
    for (const int status : {200, 301, 307, 400, 403}) {
      Guard guard;
      if (attested) {
        guard.attest();
      }
      guard.s3.region = "us-east-1";
      guard.s3.head_bucket_status = status;
      const auto proof = guard.prove();
      CAPTURE(attested, status);
      REQUIRE_FALSE(proof);
      CHECK(proof.error().kind == FailureKind::redirected);
      CHECK(proof.error().region == "us-east-1");
      CHECK(contains(proof.error().message,
                     "bucket records-eu is in us-east-1, the source Region is eu-central-1"));
      CHECK(contains(proof.error().message, "nothing was sent"));
      CHECK(guard.s3.calls.size() == 1);
    }
  }
}

TEST_CASE("A redirect is refused and not followed, named Region or not") {
  for (const bool attested : {false, true}) {
    for (const int status : {301, 302, 307, 308}) {
      Guard guard;
      if (attested) {
        guard.attest();
      }
      guard.s3.before = [status](const FakeS3::Call&) {
        aws::HttpResponse response;
        response.status = status;
        response.headers = {{"location", "https://records-eu.s3.us-east-1.amazonaws.com/"}};
        return std::optional<aws::HttpResult>(response);
      };
      const auto proof = guard.prove();
      CAPTURE(attested, status);
      REQUIRE_FALSE(proof);
      CHECK(proof.error().kind == FailureKind::redirected);
      CHECK(contains(proof.error().message, "nothing was sent"));
      CHECK(guard.s3.calls.size() == 1);
    }
  }
}

TEST_CASE("An answer of AWS that names no Region proves nothing") {
  for (const int status : {200, 403}) {
    Guard guard;
    guard.s3.names_region = false;
    guard.s3.head_bucket_status = status;
    const auto proof = guard.prove();
    CAPTURE(status);
    REQUIRE_FALSE(proof);
    CHECK(contains(proof.error().message, "not proven to be in eu-central-1; nothing was sent"));
    CHECK(proof.error().kind == (status == 200 ? FailureKind::redirected : FailureKind::denied));
  }
}

TEST_CASE("An attested store need not name a Region") {
  for (const int status : {200, 403}) {
    Guard guard;
    guard.attest();
    guard.s3.names_region = false;
    guard.s3.head_bucket_status = status;
    CAPTURE(status);
    CHECK(guard.prove());
  }
  Guard guard;
  guard.attest();
  guard.s3.names_region = false;
  guard.s3.head_bucket_status = 400;
  CHECK_FALSE(guard.prove());
}

TEST_CASE("A bucket that does not exist is said to") {
  Guard guard;
  guard.s3.head_bucket_status = 404;
  const auto proof = guard.prove();
  REQUIRE_FALSE(proof);
  CHECK(proof.error().kind == FailureKind::not_found);
  CHECK(contains(proof.error().message, "bucket records-eu does not exist"));
}

TEST_CASE("What may pass stays what it is") {
  Guard guard;
  guard.s3.before = [](const FakeS3::Call&) {
    return std::optional<aws::HttpResult>(
        tl::unexpected(aws::HttpFailure{aws::HttpFailure::Kind::connect, "nobody there"}));
  };
  auto proof = guard.prove();
  REQUIRE_FALSE(proof);
  CHECK(proof.error().kind == FailureKind::transient);
  CHECK(contains(proof.error().message, "nobody there"));
  guard.s3.before = nullptr;
  guard.s3.names_region = false;
  guard.s3.head_bucket_status = 503;
  proof = guard.prove();
  REQUIRE_FALSE(proof);
  CHECK(proof.error().kind == FailureKind::transient);
}

TEST_CASE("A bucket that is no plain name is refused before anything is asked") {
  const std::pair<std::string, FailureKind> table[] = {
      {"arn:aws:s3:eu-central-1:111122223333:accesspoint/x", FailureKind::redirected},
      {"arn:aws:s3::111122223333:accesspoint/m.mrap", FailureKind::redirected},
      {"arn:aws:s3:::records-eu", FailureKind::redirected},
      {"x-abcdef-s3alias", FailureKind::redirected},
      {"x-abcdef--ol-s3", FailureKind::redirected},
      {"mfzwi23gnjvgw.mrap", FailureKind::redirected},
      {"records--euc1-az1--x-s3", FailureKind::redirected},
      {"records--table-s3", FailureKind::redirected},
      {"", FailureKind::rejected},
      {"ab", FailureKind::rejected},
      {std::string(64, 'a'), FailureKind::rejected},
      {"Records", FailureKind::rejected},
      {"records_eu", FailureKind::rejected},
      {"records eu", FailureKind::rejected},
      {"records/eu", FailureKind::rejected},
      {"records..eu", FailureKind::rejected},
      {"-records", FailureKind::rejected},
      {"records-", FailureKind::rejected},
      {".records", FailureKind::rejected},
      {"192.168.5.4", FailureKind::rejected},
      {"xn--records", FailureKind::rejected},
      {"sthree-records", FailureKind::rejected},
      {"records\r\nx", FailureKind::rejected}};
  for (const auto& [bucket, kind] : table) {
    Guard guard;
    guard.options.bucket = bucket;
    const auto proof = guard.prove();
    CAPTURE(bucket);
    REQUIRE_FALSE(proof);
    CHECK(proof.error().kind == kind);
    CHECK(contains(proof.error().message, "exporters.s3.bucket"));
    CHECK(guard.s3.calls.empty());
  }
  for (const std::string& bucket : {std::string("abc"), std::string(63, 'a'),
                                    std::string("1.records.eu"), std::string("0--0")}) {
    S3Options options = test_options();
    options.bucket = bucket;
    CAPTURE(bucket);
    CHECK(check_target(options));
  }
}

TEST_CASE(
    "An endpoint that is elsewhere, nowhere or unattested is refused before anything is asked") {
  struct Row {
    const char* endpoint;
    bool attested;
    FailureKind kind;
    const char* message;
  };
  const Row table[] = {
      {"http://127.0.0.1:9000", false, FailureKind::redirected, "region_attested = true"},
      {"https://s3.eu-central-1.amazonaws.com", false, FailureKind::redirected, "region_attested"},
      {"https://s3.us-east-1.amazonaws.com", true, FailureKind::redirected, "is in us-east-1"},
      {"https://S3.US-EAST-1.amazonaws.com", true, FailureKind::redirected, "is in us-east-1"},
      {"https://s3.dualstack.us-east-1.amazonaws.com", true, FailureKind::redirected, "us-east-1"},
      {"https://vpce-1-2.s3.us-east-1.vpce.amazonaws.com", true, FailureKind::redirected,
       "us-east-1"},
      {"https://s3.us-east-1.example.org", true, FailureKind::redirected, "is in us-east-1"},
      {"https://s3.amazonaws.com", true, FailureKind::redirected, "global endpoint"},
      {"https://s3.amazonaws.com:443", true, FailureKind::redirected, "global endpoint"},
      {"https://s3-accelerate.amazonaws.com", true, FailureKind::redirected, "global endpoint"},
      {"https://m.mrap.accesspoint.s3-global.amazonaws.com", true, FailureKind::redirected,
       "access points"},
      {"https://x.s3-accesspoint.eu-central-1.amazonaws.com", true, FailureKind::redirected,
       "access points"},
      {"127.0.0.1:9000", true, FailureKind::rejected, "http://host[:port]"},
      {"http://host/path", true, FailureKind::rejected, "http://host[:port]"}};
  for (const Row& row : table) {
    Guard guard;
    guard.options.endpoint = row.endpoint;
    guard.options.region_attested = row.attested;
    const auto proof = guard.prove();
    CAPTURE(row.endpoint);
    REQUIRE_FALSE(proof);
    CHECK(proof.error().kind == row.kind);
    CHECK(contains(proof.error().message, row.message));
    CHECK(guard.s3.calls.empty());
  }
}

TEST_CASE("AWS behind a custom endpoint is not believed on anybody's word") {
  Guard guard;
  guard.options.endpoint = "https://vpce-1-2.s3.eu-central-1.vpce.amazonaws.com";
  guard.options.region_attested = true;
  guard.s3.host = "records-eu.vpce-1-2.s3.eu-central-1.vpce.amazonaws.com";
  CHECK(guard.prove());
  guard.s3.names_region = false;
  CHECK_FALSE(guard.prove());
}

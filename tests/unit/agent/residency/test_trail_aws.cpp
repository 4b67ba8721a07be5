#include <vector>

#include "agent/residency/trail_bucket.h"
#include "agent/residency/trail_lookup.h"
#include "storage/json_writer.h"
#include "tests/catch.h"
#include "tests/unit/agent/residency/trail_samples.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"

using namespace invlog;
using namespace invlog::residency;
using namespace invlog::tests;
using std::chrono::milliseconds;

namespace {

constexpr std::int64_t kSecond = 1'000'000;
constexpr std::int64_t kNoon = 1'791'201'600 * kSecond;  // 2026-10-05T12:00:00Z

class Collector final : public TrailSink {
 public:
  void event(const TrailEvent& event) override { events.emplace_back(event.request_id); }
  void problem(TrailProblem problem) override {
    problems.push_back(problem.where + ": " + problem.what);
  }
  void progress(const TrailProgress& progress) override { newest = progress; }
  bool stopped() const override { return false; }

  std::vector<std::string> events, problems;
  TrailProgress newest;
};

// AWS as a script, and a clock that only sleeping moves.
struct World {
  World() {
    credentials = aws::environment_provider([](const char* name) -> std::optional<std::string> {
      return std::string(name) == "AWS_ACCESS_KEY_ID" ||
                     std::string(name) == "AWS_SECRET_ACCESS_KEY"
                 ? std::optional<std::string>("AKIDEXAMPLE")
                 : std::nullopt;
    });
  }

  exporters::CallTimes times() {
    exporters::CallTimes times;
    times.now = [this] { return now; };
    times.wait = [this](milliseconds pause) {
      sleeps.push_back(pause);
      now += pause;
      return true;
    };
    times.random = [] { return 0.5; };
    return times;
  }

  ScriptedHttpClient http;
  std::unique_ptr<aws::CredentialsProvider> credentials;
  std::chrono::steady_clock::time_point now{};
  std::vector<milliseconds> sleeps;
  Collector collector;
};

struct LookupWorld : World {
  tl::expected<void, std::string> read() {
    aws::ServiceClientOptions options;
    options.service = "cloudtrail";
    options.region = "eu-central-1";
    options.endpoint = "https://cloudtrail.eu-central-1.amazonaws.com";
    aws::ServiceClient service(options, http, *credentials);
    TrailLookup source(service, kNoon - 3600 * kSecond, kNoon, times());
    CHECK(source.complete_until_us() == kNoon);
    return source.read(collector);
  }
};

std::string page(const std::vector<std::string>& ids, const std::string& next) {
  std::string json = "{\"Events\":[";
  for (const std::string& id : ids) {
    json += json.back() == '[' ? "{" : ",{";
    storage::append_json_member(json, "EventId", "event-of-" + id);
    storage::append_json_member(json, "CloudTrailEvent",
                                trail_event({id, "", "2026-10-05T11:30:00Z"}));
    json += "}";
  }
  json += "]";
  if (!next.empty()) {
    storage::append_json_member(json, "NextToken", next);
  }
  return json + "}";
}

struct BucketWorld : World {
  tl::expected<void, std::string> read(const std::string& endpoint = "") {
    exporters::S3Options options;
    options.region = "eu-central-1";
    options.bucket = "my-trail";
    options.endpoint = endpoint;
    options.path_style = !endpoint.empty();
    exporters::S3ObjectReader reader(options, http, *credentials, std::chrono::system_clock::now);
    TrailBucket source(reader, {"my-trail", "AWSLogs/a b/"}, "eu-central-1", times());
    CHECK(source.name() == "s3://my-trail/AWSLogs/a b/");
    return source.read(collector);
  }
};

std::string listing(const std::vector<std::string>& keys, const std::string& next = "",
                    const std::string& size = "100") {
  std::string xml =
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
  xml += next.empty() ? "<IsTruncated>false</IsTruncated>"
                      : "<IsTruncated>true</IsTruncated><NextContinuationToken>" + next +
                            "</NextContinuationToken>";
  for (const std::string& key : keys) {
    xml += "<Contents><Key>" + key + "</Key><Size>" + size + "</Size></Contents>";
  }
  return xml + "</ListBucketResult>";
}

}  // namespace

TEST_CASE("lookup asks page by page, for Bedrock's events of the span, twice a second at most") {
  LookupWorld world;
  world.http.answer(200, page({"one", "two"}, "token/1"));
  world.http.answer(200, page({"three"}, "token/2"));
  world.http.answer(200, page({}, ""));
  REQUIRE(world.read());
  CHECK(world.collector.events == std::vector<std::string>{"one", "two", "three"});
  CHECK(world.collector.problems.empty());
  REQUIRE(world.http.seen.size() == 3);
  CHECK(world.http.seen[0].url == "https://cloudtrail.eu-central-1.amazonaws.com/");
  CHECK(world.http.seen[0].header("x-amz-target") ==
        "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents");
  CHECK(world.http.seen[0].header("content-type") == "application/x-amz-json-1.1");
  const std::string first =
      "{\"LookupAttributes\":[{\"AttributeKey\":\"EventSource\",\"AttributeValue\":"
      "\"bedrock.amazonaws.com\"}],\"StartTime\":1791198000,\"EndTime\":1791201600,\"MaxResults\":"
      "50";
  CHECK(world.http.seen[0].body == first + "}");
  CHECK(world.http.seen[1].body == first + ",\"NextToken\":\"token/1\"}");
  CHECK(world.sleeps == std::vector<milliseconds>{milliseconds(500), milliseconds(500)});
  CHECK(world.collector.newest.done == 1800);
  CHECK(world.collector.newest.total == 3600);
}

TEST_CASE("lookup waits when it is throttled, and gives up on what does not pass") {
  LookupWorld world;
  world.http.answer(400, R"({"__type":"ThrottlingException","message":"Rate exceeded"})");
  world.http.fail(aws::HttpFailure::Kind::timeout);
  world.http.answer(200, page({"one"}, ""));
  REQUIRE(world.read());
  CHECK(world.collector.events.size() == 1);
  CHECK(world.sleeps.size() >= 2);

  LookupWorld denied;
  denied.http.answer(400, R"({"__type":"AccessDeniedException","message":"no"})");
  const auto result = denied.read();
  REQUIRE_FALSE(result);
  CHECK_THAT(result.error(), contains_text("it needs the permission cloudtrail:LookupEvents"));

  LookupWorld away;  // every attempt fails
  CHECK_FALSE(away.read());
  CHECK(away.http.seen.size() == exporters::PatientCaller::kMostAttempts);

  LookupWorld looping;
  looping.http.answer(200, page({"one"}, "t"));
  looping.http.answer(200, page({"two"}, "t"));
  CHECK_THAT(looping.read().error(), contains_text("again and again"));

  LookupWorld other;
  other.http.answer(200, "<html>");
  CHECK_THAT(other.read().error(), contains_text("is the endpoint CloudTrail?"));
}

TEST_CASE("a trail's bucket is read in its own Region, page by page") {
  BucketWorld world;
  world.http.answer(301, "", {{"x-amz-bucket-region", "us-east-1"}});
  world.http.answer(200,
                    listing({"x/1_CloudTrail_us-west-2_a.json.gz", "x/a.json", "x/notes"}, "a+b"));
  world.http.answer(200, trail_event({"one"}));
  world.http.answer(200, listing({"x/b&amp;c.json", "x/d.json"}));
  world.http.answer(200, trail_event({"two"}));
  world.http.answer(403, "<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
  const auto result = world.read();
  INFO((result ? "" : result.error()));
  REQUIRE(result);
  CHECK(world.collector.events == std::vector<std::string>{"one", "two"});
  REQUIRE(world.collector.problems.size() == 1);
  CHECK_THAT(world.collector.problems[0], contains_text("s3://my-trail/x/d.json"));
  CHECK_THAT(world.collector.problems[0], contains_text("it needs the permission s3:GetObject"));
  REQUIRE(world.http.seen.size() == 6);
  CHECK(world.http.seen[0].method == "HEAD");
  CHECK(world.http.seen[0].url == "https://my-trail.s3.eu-central-1.amazonaws.com/");
  CHECK(world.http.seen[1].url ==
        "https://my-trail.s3.us-east-1.amazonaws.com/"
        "?list-type=2&prefix=AWSLogs%2Fa%20b%2F");
  CHECK(world.http.seen[2].url == "https://my-trail.s3.us-east-1.amazonaws.com/x/a.json");
  CHECK(world.http.seen[3].url ==
        "https://my-trail.s3.us-east-1.amazonaws.com/"
        "?list-type=2&prefix=AWSLogs%2Fa%20b%2F&continuation-token=a%2Bb");
  CHECK(world.http.seen[4].url == "https://my-trail.s3.us-east-1.amazonaws.com/x/b%26c.json");
}

TEST_CASE("a bucket without events of the Region, and one that cannot be listed, say so") {
  BucketWorld empty;
  empty.http.answer(200, listing({"x/notes"}));
  CHECK_THAT(empty.read("http://127.0.0.1:9000").error(), contains_text("no object there"));
  CHECK(empty.http.seen[0].url.starts_with("http://127.0.0.1:9000/my-trail?list-type=2"));
  BucketWorld denied;
  denied.http.answer(403, "<Error><Code>AccessDenied</Code></Error>");
  CHECK_THAT(denied.read("http://127.0.0.1:9000").error(),
             contains_text("it needs the permission s3:ListBucket"));
  BucketWorld huge;
  huge.http.answer(200, listing({"x/a.json"}, "", "99999999999"));
  CHECK(huge.read("http://127.0.0.1:9000"));
  CHECK_THAT(huge.collector.problems.at(0), contains_text("longer than 64 MiB"));
  CHECK_FALSE(exporters::read_listing("<nothing/>"));
  CHECK_FALSE(exporters::read_listing(
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"));
  CHECK(parse_bucket_place("s3://b/p/q")->prefix == "p/q");
  CHECK(parse_bucket_place("s3://b")->prefix.empty());
  CHECK_FALSE(parse_bucket_place("s3:///p"));
  CHECK_FALSE(parse_bucket_place("/tmp"));
}

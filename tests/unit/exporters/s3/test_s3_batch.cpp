#include "exporters/s3/s3_batch.h"

#include <simdjson.h>

#include <set>

#include "tests/catch.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog;
using namespace invlog::exporters;
using aws::FailureKind;

namespace {

std::vector<storage::StoredRecord> records(std::int64_t first, std::int64_t last,
                                           std::int64_t started_at_us = kStartedAt) {
  std::vector<storage::StoredRecord> all;
  for (std::int64_t id = first; id <= last; ++id) {
    all.push_back(test_record(id, started_at_us + (id - first) * 1000));
  }
  return all;
}

// Not JSON that compresses away: each id has its own.
std::string large_body(std::int64_t id, std::size_t bytes) {
  std::string body = "{\"n\":\"" + std::to_string(id);
  while (body.size() + 2 < bytes) {
    body.push_back(static_cast<char>('a' + body.size() % 23));
  }
  return body + "\"}";
}

std::string body_key_of(const storage::StoredRecord& record, BodySide side) {
  const Origin origin = test_origin();
  return body_key(BatchPlan::of(test_options(), origin).layout(origin), record, side);
}

struct Line {
  std::int64_t id = 0;
  std::string key, text, input_path, output_path;
  bool has_input = false, has_output = false;
};

std::string text_of(const simdjson::simdjson_result<simdjson::dom::element>& member) {
  std::string_view text;
  return member.get_string().get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

// Every line in the fake's record objects.
std::vector<Line> lines_in(const FakeS3& s3) {
  std::vector<Line> lines;
  simdjson::dom::parser parser;
  for (const auto& [key, object] : s3.objects) {
    if (key.find("/data/") != std::string::npos) {
      continue;
    }
    for (const std::string& text : lines_of(decompressed(key, object.bytes))) {
      const simdjson::dom::element parsed = parser.parse(text);
      Line line{std::int64_t(parsed["invlog"]["id"]),
                key,
                text,
                text_of(parsed["input"]["inputBodyS3Path"]),
                text_of(parsed["output"]["outputBodyS3Path"]),
                parsed["input"]["inputBodyJson"].error() == simdjson::SUCCESS,
                parsed["output"]["outputBodyJson"].error() == simdjson::SUCCESS};
      lines.push_back(line);
    }
  }
  return lines;
}

std::map<std::string, std::string> contents(const FakeS3& s3) {
  std::map<std::string, std::string> all;
  for (const auto& [key, object] : s3.objects) {
    all[key] = object.bytes;
    for (const auto& [name, value] : object.headers) {
      if (name.starts_with("x-amz-meta-")) {
        all[key] += "\n" + name + ": " + value;
      }
    }
  }
  return all;
}

// Fails the n-th PutObject (from 0), once; the object is stored if `arrives`.
void fail_put(FakeS3& s3, int number, bool arrives) {
  (arrives ? s3.after : s3.before) = [number, seen = 0](const FakeS3::Call& call) mutable {
    if (call.method != "PUT" || seen++ != number) {
      return std::optional<aws::HttpResult>();
    }
    return std::optional<aws::HttpResult>(
        tl::unexpected(aws::HttpFailure{aws::HttpFailure::Kind::broken, "the connection ended"}));
  };
}

}  // namespace

TEST_CASE("A batch becomes one object of lines under AWS's name") {
  S3Fixture fixture;
  const auto batch = fixture.batch(records(17, 42));
  CHECK(batch->records() == 26);
  CHECK_FALSE(batch->full());
  const auto sent = batch->send();
  REQUIRE(sent);
  REQUIRE(fixture.s3.objects.size() == 1);
  const auto& [key, object] = *fixture.s3.objects.begin();
  CHECK(key == kHourFolder + "20260921T141320123Z_b20de86e0b1efd0b.json.gz");
  CHECK(sent->refused.empty());
  CHECK(sent->bytes == object.bytes.size());
  CHECK(sent->places == std::vector<std::string>{key});
  REQUIRE(sent->head);
  CHECK(sent->head->target == fixture.destination->target());
  CHECK(sent->head->folder == fixture.destination->head_folder(fixture.origin));
  CHECK(sent->head->segment == 9);

  const std::string text = decompressed(key, object.bytes);
  CHECK(sent->line_bytes == text.size());
  const std::vector<std::string> lines = lines_of(text);
  REQUIRE(lines.size() == 26);
  CHECK(lines[3] == storage::record_json(fixture.origin.store, test_record(20, kStartedAt + 3000)));
  CHECK(object.headers.at("x-amz-meta-invlog-chain-head") == std::string(64, 'a'));
  CHECK(object.headers.at("x-amz-meta-invlog-chain-segment") == "9");
  CHECK(object.headers.at("x-amz-meta-invlog-host") == "host-7");
  CHECK(object.headers.at("x-amz-meta-invlog-records") == "17-42");
  CHECK(object.headers.at("content-type") == "application/json");
}

TEST_CASE("A store without a closed segment and a host with a strange name make proper headers") {
  S3Fixture fixture;
  fixture.origin.chain_head.clear();
  storage::StoredRecord record = test_record(1);
  record.host = "h\xc3\xb6st\r\nx-amz-acl: public-read";
  const auto sent = fixture.batch({record})->send();
  REQUIRE(sent);
  CHECK_FALSE(sent->head);
  const auto& headers = fixture.s3.objects.begin()->second.headers;
  CHECK(headers.count("x-amz-meta-invlog-chain-head") == 0);
  CHECK(headers.count("x-amz-meta-invlog-chain-segment") == 0);
  CHECK(headers.at("x-amz-meta-invlog-host") == "h??st x-amz-acl: public-read");
}

TEST_CASE("Each line says its record's host, and an object that of its newest record") {
  S3Fixture fixture;
  fixture.origin.store.host = "web-18";  // this one's, which none of the records is of
  std::vector<storage::StoredRecord> both = records(1, 2);
  both[0].host = "image-builder";
  both[0].record.request.bytes = large_body(1, 110'000);
  both[1].host = "web-17";
  REQUIRE(fixture.batch(both)->send());

  const std::vector<Line> lines = lines_in(fixture.s3);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].text.find(R"("host":"image-builder")") != std::string::npos);
  CHECK(lines[1].text.find(R"("host":"web-17")") != std::string::npos);
  const auto host_of = [&](const std::string& key) {
    return fixture.s3.objects.at(key).headers.at("x-amz-meta-invlog-host");
  };
  REQUIRE(lines[0].key == lines[1].key);
  CHECK(host_of(lines[0].key) == "web-17");
  CHECK(host_of(body_key_of(both[0], BodySide::input)) == "image-builder");
}

TEST_CASE("Records of several hours become an object for each, in the hour's folder") {
  S3Fixture fixture;
  // A call of the hour before ends late, and so has a higher id.
  const auto batch = fixture.batch({test_record(1), test_record(2, kStartedAt + kHour),
                                    test_record(3), test_record(4, kStartedAt - 15 * kHour)});
  REQUIRE(batch->send());
  std::map<std::int64_t, std::string> folders;
  for (const Line& line : lines_in(fixture.s3)) {
    folders[line.id] = line.key.substr(0, kHourFolder.size());
  }
  CHECK(folders == std::map<std::int64_t, std::string>{{1, kFolder + "2026/09/21/14/"},
                                                       {2, kFolder + "2026/09/21/15/"},
                                                       {3, kFolder + "2026/09/21/14/"},
                                                       {4, kFolder + "2026/09/20/23/"}});
  std::set<std::string> spans;
  for (const auto& [key, object] : fixture.s3.objects) {
    spans.insert(object.headers.at("x-amz-meta-invlog-records"));
  }
  CHECK(spans == std::set<std::string>{"1-3", "2-2", "4-4"});
}

TEST_CASE("A batch of more than 24 hours is full") {
  S3Fixture fixture;
  auto batch = fixture.destination->begin(fixture.origin, "", false);
  for (int hour = 0; hour < 24; ++hour) {
    CHECK(batch->add(test_record(hour + 1, kStartedAt + hour * kHour)) == Batch::Added::taken);
  }
  CHECK_FALSE(batch->full());
  CHECK(batch->add(test_record(25, kStartedAt + 5 * kHour)) == Batch::Added::taken);
  CHECK(batch->add(test_record(26, kStartedAt + 24 * kHour)) == Batch::Added::full);
  CHECK(batch->full());
  CHECK(batch->records() == 25);
  CHECK(batch->add(test_record(26)) == Batch::Added::full);
  REQUIRE(batch->send());
  CHECK(fixture.s3.objects.size() == 24);
  CHECK(lines_in(fixture.s3).size() == 25);

  // One that is sent again takes what it had, whatever today's limits are.
  batch = fixture.destination->begin(fixture.origin, batch->plan(), false);
  for (int hour = 0; hour < 30; ++hour) {
    CHECK(batch->add(test_record(hour + 1, kStartedAt + hour * kHour)) == Batch::Added::taken);
  }
  CHECK_FALSE(batch->full());
}

TEST_CASE("A batch is full when its compressed bytes are, and takes one record at least") {
  for (const Compression compression : {Compression::gzip, Compression::zstd, Compression::none}) {
    S3Options options = test_options();
    options.compression = compression;
    options.batch_bytes = 50'000;
    S3Fixture fixture(options);
    const auto batch = fixture.destination->begin(fixture.origin, "", false);
    std::int64_t id = 0;
    while (!batch->full()) {
      REQUIRE(batch->add(test_record(++id)) == Batch::Added::taken);
      REQUIRE(id < 10'000);
    }
    CHECK(batch->add(test_record(id + 1)) == Batch::Added::full);
    CHECK(id > 50);
    REQUIRE(batch->send());
    CHECK(lines_in(fixture.s3).size() == static_cast<std::size_t>(id));

    options.batch_bytes = 1;
    S3Fixture small(options);
    const auto single = small.destination->begin(small.origin, "", false);
    CHECK(single->add(test_record(1)) == Batch::Added::taken);
    CHECK(single->full());
    CHECK(single->add(test_record(2)) == Batch::Added::full);
  }
}

TEST_CASE("The same batch sent twice is the same objects") {
  for (const Compression compression : {Compression::gzip, Compression::zstd, Compression::none}) {
    S3Options options = test_options();
    options.compression = compression;
    S3Fixture fixture(options);
    auto some = records(1, 200);
    some[7].record.request.bytes = large_body(8, 200'000);
    REQUIRE(fixture.batch(some)->send());
    const auto first = contents(fixture.s3);
    CHECK(first.size() == 2);
    REQUIRE(fixture.batch(some)->send());
    CHECK(contents(fixture.s3) == first);
  }
}

TEST_CASE("A batch under way is sent again as it was planned, whatever has changed") {
  S3Options options = test_options();
  options.prefix = "old";
  S3Fixture fixture(options);
  auto some = records(1, 20);
  some[3].record.response.bytes = large_body(4, 150'000);
  some[4].record.response.bytes = large_body(5, 50'000);
  const auto batch = fixture.batch(some);
  const std::string plan = batch->plan();
  REQUIRE(batch->send());
  const auto first = contents(fixture.s3);

  options.prefix = "new";
  options.compression = Compression::zstd;
  options.large_bodies = false;
  options.large_body_bytes = 1000;
  options.batch_bytes = 1;
  fixture.destination = fixture.restarted(options);
  fixture.origin.store.account_id.clear();
  fixture.origin.chain_head = std::string(64, 'b');
  fixture.origin.chain_segment = 10;
  const auto again = fixture.batch(some, plan);
  CHECK(again->plan() == plan);
  REQUIRE(again->send());
  CHECK(contents(fixture.s3) == first);

  // And a new one by the configuration of today.
  options.batch_bytes = 5'000'000;
  fixture.destination = fixture.restarted(options);
  fixture.s3.objects.clear();
  REQUIRE(fixture.batch(some)->send());
  REQUIRE(fixture.s3.objects.size() == 1);
  CHECK(fixture.s3.keys()[0].starts_with("new/AWSLogs/unknown/"));
  CHECK(fixture.s3.keys()[0].ends_with(".json.zst"));
}

TEST_CASE("A plan that cannot be read does not stop delivery") {
  S3Options options = test_options();
  options.batch_bytes = 1;
  S3Fixture fixture(options);
  REQUIRE(fixture.batch(records(1, 5), "{\"version\":99}")->send());
  CHECK(lines_in(fixture.s3).size() == 5);
}

TEST_CASE("Dead letters that are tried again collide with no batch") {
  S3Fixture fixture;
  REQUIRE(fixture.batch(records(1, 1))->send());
  REQUIRE(fixture.batch(records(1, 1), "", true)->send());
  CHECK(fixture.s3.objects.size() == 2);
}

TEST_CASE("A body over the limit becomes an object of its own, before the line that names it") {
  S3Fixture fixture;
  auto both = test_record(1);
  both.record.request.bytes = large_body(1, 102'401);
  both.record.response.bytes = large_body(1001, 300'000);
  auto at_limit = test_record(2);
  at_limit.record.request.bytes = large_body(2, 102'400);
  REQUIRE(at_limit.record.request.bytes.size() == 102'400);
  auto binary = test_record(3);
  binary.record.response = {std::string(150'000, '\xff'), "image/png", false, false};
  const auto sent = fixture.batch({both, at_limit, binary})->send();
  REQUIRE(sent);

  const std::string input = body_key_of(both, BodySide::input);
  const std::string output = body_key_of(both, BodySide::output);
  const std::string image = body_key_of(binary, BodySide::output);
  REQUIRE(fixture.s3.objects.size() == 4);
  CHECK(decompressed(input, fixture.s3.objects[input].bytes) == both.record.request.bytes);
  CHECK(decompressed(output, fixture.s3.objects[output].bytes) == both.record.response.bytes);
  CHECK(decompressed(image, fixture.s3.objects[image].bytes) == binary.record.response.bytes);
  CHECK(fixture.s3.objects[input].headers["content-type"] == "application/json");
  CHECK(fixture.s3.objects[image].headers["content-type"] == "image/png");
  CHECK(fixture.s3.objects[image].headers["x-amz-meta-invlog-records"] == "3-3");
  REQUIRE(sent->places.size() == 4);
  CHECK(sent->places[3].find("/data/") == std::string::npos);
  CHECK(fixture.s3.calls.back().key == sent->places[3]);

  const std::vector<Line> lines = lines_in(fixture.s3);
  REQUIRE(lines.size() == 3);
  CHECK(lines[0].input_path == "s3://records-eu/" + input);
  CHECK(lines[0].output_path == "s3://records-eu/" + output);
  CHECK_FALSE(lines[0].has_input);
  CHECK_FALSE(lines[0].has_output);
  CHECK(lines[1].input_path.empty());
  CHECK(lines[1].has_input);
  CHECK(lines[2].output_path == "s3://records-eu/" + image);
  CHECK(lines[2].has_input);
  CHECK(lines[2].text.find("Base64") == std::string::npos);
}

TEST_CASE("With large_bodies off every body stands in its line") {
  S3Options options = test_options();
  options.large_bodies = false;
  S3Fixture fixture(options);
  auto record = test_record(1);
  record.record.request.bytes = large_body(1, 3'000'000);
  REQUIRE(fixture.batch({record})->send());
  CHECK(fixture.s3.objects.size() == 1);
  const std::vector<Line> lines = lines_in(fixture.s3);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text.find(record.record.request.bytes) != std::string::npos);
}

namespace {

// The first three have one request id.
std::vector<storage::StoredRecord> records_of_few_requests() {
  std::vector<storage::StoredRecord> some;
  for (std::int64_t id = 1; id <= 6; ++id) {
    some.push_back(test_record(id));
    some.back().record.request_id = id <= 3 ? "same" : (id == 4 ? "" : "../../x");
    some.back().record.request.bytes = large_body(id, 110'000);
    some.back().record.response.bytes = large_body(id + 100, 110'000);
  }
  return some;
}

void check_that_lines_name_their_bodies(FakeS3& s3) {
  const std::vector<Line> lines = lines_in(s3);
  REQUIRE(lines.size() == 6);
  for (const Line& line : lines) {
    const std::string key = line.input_path.substr(std::string("s3://records-eu/").size());
    CHECK(decompressed(key, s3.objects.at(key).bytes) == large_body(line.id, 110'000));
    CHECK(key.starts_with(kHourFolder + "data/"));
    CHECK(key.find("..") == std::string::npos);
  }
}

}  // namespace

TEST_CASE("Records of one request id do not overwrite each other's bodies, nor AWS's own") {
  const auto some = records_of_few_requests();
  for (const bool one_batch : {true, false}) {
    CAPTURE(one_batch);
    S3Fixture fixture;
    const std::string of_aws = kHourFolder + "data/same_input.json.gz";
    fixture.s3.objects[of_aws].bytes = "AWS's own";
    if (one_batch) {
      REQUIRE(fixture.batch(some)->send());
    } else {
      for (const storage::StoredRecord& record : some) {
        REQUIRE(fixture.batch({record})->send());
      }
    }
    CHECK(fixture.s3.objects.size() == 1 + 2 * some.size() + (one_batch ? 1 : some.size()));
    CHECK(fixture.s3.objects[of_aws].bytes == "AWS's own");
    check_that_lines_name_their_bodies(fixture.s3);
  }
}

TEST_CASE("A batch that a plan of version 1 began ends under that plan's names") {
  S3Fixture fixture;
  const auto some = records_of_few_requests();
  std::string plan = fixture.batch(some)->plan();
  const std::string_view version = "\"version\":2";
  plan.replace(plan.find(version), version.size(), "\"version\":1");
  const auto batch = fixture.batch(some, plan);
  CHECK(batch->plan() == plan);
  REQUIRE(batch->send());
  CHECK(fixture.s3.objects.size() == 13);
  const std::string same = kHourFolder + "data/same_input.json.gz";
  REQUIRE(fixture.s3.objects.count(same) == 1);
  CHECK(decompressed(same, fixture.s3.objects[same].bytes) == large_body(1, 110'000));
  check_that_lines_name_their_bodies(fixture.s3);
}

TEST_CASE("A strange content type of a body does not get into a header") {
  S3Fixture fixture;
  auto record = test_record(1);
  record.record.request = {std::string(150'000, '\1'), "a/b\r\nx-amz-acl: public-read", false,
                           false};
  REQUIRE(fixture.batch({record})->send());
  const auto& headers = fixture.s3.objects.rbegin()->second.headers;
  CHECK(fixture.s3.objects.rbegin()->first.find("/data/") != std::string::npos);
  CHECK(headers.at("content-type") == "application/octet-stream");
}

TEST_CASE("After a failure in the middle only the rest is sent, wherever it was") {
  auto some = records(1, 4);
  some[0].record.request.bytes = large_body(1, 110'000);
  some[1].record.response.bytes = large_body(2, 110'000);
  some[3].record.started_at_us += kHour;
  S3Fixture whole;
  REQUIRE(whole.batch(some)->send());
  const auto expected = contents(whole.s3);
  REQUIRE(expected.size() == 4);
  for (const bool arrives : {false, true}) {
    for (int number = 0; number < 4; ++number) {
      CAPTURE(number, arrives);
      S3Fixture fixture;
      const auto batch = fixture.batch(some);
      const std::string plan = batch->plan();
      fail_put(fixture.s3, number, arrives);
      const auto failed = batch->send();
      REQUIRE_FALSE(failed);
      CHECK(failed.error().kind == FailureKind::transient);
      CHECK(batch->plan() == plan);
      CHECK(fixture.s3.objects.size() == static_cast<std::size_t>(number + (arrives ? 1 : 0)));
      const auto sent = batch->send();
      REQUIRE(sent);
      CHECK(contents(fixture.s3) == expected);
      CHECK(fixture.s3.count("PUT") == 5);
      CHECK(sent->places.size() == 4);
      std::uint64_t bytes = 0;
      for (const auto& [key, object] : fixture.s3.objects) {
        bytes += object.bytes.size();
      }
      CHECK(sent->bytes == bytes);
    }
  }
}

TEST_CASE("A crash in the middle and a start with the plan end as one undisturbed sending") {
  auto some = records(1, 30);
  some[0].record.request.bytes = large_body(1, 110'000);
  some[29].record.started_at_us += kHour;
  S3Fixture whole;
  REQUIRE(whole.batch(some)->send());
  for (int number = 0; number < 3; ++number) {
    S3Options options = test_options();
    options.if_none_match = true;
    S3Fixture fixture(options);
    std::string plan;
    {
      const auto batch = fixture.batch(some);
      plan = batch->plan();
      fail_put(fixture.s3, number, true);
      REQUIRE_FALSE(batch->send());
    }
    REQUIRE(fixture.batch(some, plan)->send());
    CHECK(contents(fixture.s3) == contents(whole.s3));
  }
}

TEST_CASE("What S3 answers comes out as it is") {
  struct Row {
    int status;
    const char* code;
    FailureKind kind;
  };
  for (const Row& row : {Row{503, "SlowDown", FailureKind::throttled},
                         Row{500, "InternalError", FailureKind::transient},
                         Row{403, "AccessDenied", FailureKind::denied},
                         Row{404, "NoSuchBucket", FailureKind::not_found},
                         Row{400, "InvalidStorageClass", FailureKind::rejected},
                         Row{301, "PermanentRedirect", FailureKind::redirected}}) {
    S3Fixture fixture;
    fixture.s3.before = [&row](const FakeS3::Call&) {
      aws::HttpResponse response;
      response.status = row.status;
      response.body = std::string("<Error><Code>") + row.code + "</Code></Error>";
      return std::optional<aws::HttpResult>(response);
    };
    const auto batch = fixture.batch(records(1, 3));
    const auto failed = batch->send();
    CAPTURE(row.code);
    REQUIRE_FALSE(failed);
    CHECK(failed.error().kind == row.kind);
    CHECK(failed.error().message.find("s3://records-eu/AWSLogs/") != std::string::npos);
    fixture.s3.before = nullptr;
    CHECK(batch->send());
  }
}

TEST_CASE("A batch's memory stays near its compressed size, over many hours too") {
  S3Options options = test_options();
  options.compression = Compression::zstd;
  S3Fixture fixture(options);
  const auto batch = fixture.destination->begin(fixture.origin, "", false);
  auto record = test_record(1);
  record.record.request.bytes = large_body(1, 90'000);
  std::int64_t id = 0;
  // Lines that compress to nothing, over 12 hours in turn: contexts and waiting lines are the
  // bound.
  while (!batch->full()) {
    record.id = ++id;
    record.record.started_at_us = kStartedAt + (id % 12) * kHour;
    REQUIRE(batch->add(record) == Batch::Added::taken);
    REQUIRE(id < 1000);
  }
  CHECK(id > 50);
  REQUIRE(batch->send());
  CHECK(lines_in(fixture.s3).size() == static_cast<std::size_t>(id));
}

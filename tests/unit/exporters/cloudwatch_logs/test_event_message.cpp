#include <simdjson.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/cloudwatch_logs/event_message.h"
#include "exporters/s3/batch_plan.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/s3_target.h"
#include "exporters/stored_plan.h"
#include "storage/base64.h"
#include "storage/delivery_ledger.h"
#include "tests/catch.h"
#include "tests/unit/exporters/cloudwatch_logs/random_json.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::exporters;
using invlog::storage::StoredRecord;
using invlog::test::RandomJson;

namespace {

constexpr std::size_t kLimit = 1'048'550;

Origin origin() {
  Origin origin;
  origin.store.region = "eu-central-1";
  origin.store.account_id = "111122223333";
  origin.store.host = "host-7";
  origin.instance = std::string(32, 'a');
  return origin;
}

StoredRecord stored(std::string request, std::string response, bool json = true) {
  StoredRecord stored;
  stored.id = 17;
  stored.host = "host-7";
  stored.record.started_at_us = 1'790'000'000'000'000;
  stored.record.operation = "Converse";
  stored.record.model_id = "eu.amazon.nova-2-lite-v1:0";
  stored.record.request_id = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11";
  stored.record.input_tokens = 11;
  stored.record.output_tokens = 22;
  stored.record.request = {std::move(request), "application/json", json, false};
  stored.record.response = {std::move(response), "application/json", json, false};
  return stored;
}

std::string json_of(std::size_t bytes, char filling = 'x') {
  const std::string frame = R"({"text":""})";
  return R"({"text":")" + std::string(bytes - frame.size(), filling) + "\"}";
}

S3Options s3() {
  S3Options options;
  options.region = "eu-central-1";
  options.bucket = "records-eu";
  options.prefix = "p";
  return options;
}

// The parsed line; checks what every line must keep.
class Line {
 public:
  explicit Line(const std::string& text) {
    INFO(text.substr(0, 300));
    REQUIRE(parser_.parse(text).get(root_) == simdjson::SUCCESS);
    CHECK(this->text("requestId") == "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11");
    CHECK(this->text("modelId") == "eu.amazon.nova-2-lite-v1:0");
    CHECK(at("/input/inputTokenCount").get_int64().value() == 11);
    CHECK(at("/output/outputTokenCount").get_int64().value() == 22);
    CHECK(at("/invlog/id").get_int64().value() == 17);
  }
  simdjson::simdjson_result<simdjson::dom::element> at(std::string_view pointer) const {
    return root_.at_pointer(pointer);
  }
  bool has(std::string_view pointer) const { return at(pointer).error() == simdjson::SUCCESS; }
  std::string text(std::string_view name) const {
    std::string_view found;
    const auto value = name.starts_with('/') ? at(name) : root_[name];
    return value.get(found) == simdjson::SUCCESS ? std::string(found) : "";
  }

 private:
  simdjson::dom::parser parser_;
  simdjson::dom::element root_;
};

// A store with record 17, and where S3 is with it.
struct Progress {
  Progress() {
    {
      invlog::storage::Writer writer(store.options());
      for (int i = 1; i <= 20; ++i) {
        REQUIRE(submit_and_wait(writer, invlog::storage::record_with("a", "b")));
      }
    }
    auto opened = invlog::storage::DeliveryLedger::open(store.path());
    REQUIRE(opened);
    ledger = std::move(*opened);
  }

  Origin seen(Origin from = origin()) const {
    from.ledger = [this] { return ledger.get(); };
    return from;
  }

  // Of the request, "" if it is cut.
  std::string place(const S3Options& options, const Origin& from = origin()) const {
    const Line line(EventMessage(options).of(seen(from), stored(json_of(2'000'000), "{}")));
    if (!line.has("/input/inputBodyS3Path")) {
      CHECK(line.at("/invlog/inputCut").get_bool().value());
      return "";
    }
    return line.text("/input/inputBodyS3Path");
  }

  void deliver(std::vector<invlog::storage::DeliveredObject> objects, std::int64_t last = 18,
               std::int64_t records = 1, const std::string& target = "s3://records-eu") const {
    invlog::storage::DeliveryLedger::Delivered delivered;
    delivered.last = last;
    delivered.records = records;
    delivered.target = target;
    delivered.objects = std::move(objects);
    ledger->advance("s3", delivered);
  }
  // Something before the record.
  void get_through(const S3Options& options = s3()) const {
    deliver({}, 10, 10, s3_target(options));
  }

  invlog::storage::TemporaryStore store;
  std::unique_ptr<invlog::storage::DeliveryLedger> ledger;
};

std::string key_of(const S3Options& options) {
  return s3_uri(options.bucket, body_key(BatchPlan::of(options, origin()).layout(origin()),
                                         stored("", ""), BodySide::input));
}

// A record whose line has this many bytes.
StoredRecord record_of_line(std::size_t bytes) {
  const std::size_t rest =
      invlog::storage::record_json(origin().store, stored(json_of(1000), "{}")).size() - 1000;
  return stored(json_of(bytes - rest), "{}");
}

}  // namespace

TEST_CASE("a line at the limit is the record's line, one byte more is cut") {
  const EventMessage messages(std::nullopt);
  const StoredRecord fits = record_of_line(kLimit);
  const std::string line = messages.of(origin(), fits);
  CHECK(line.size() == kLimit);
  CHECK(line == invlog::storage::record_json(origin().store, fits));

  const StoredRecord over = record_of_line(kLimit + 1);
  const std::string cut = messages.of(origin(), over);
  CHECK(cut.size() <= kLimit);
  CHECK(cut.size() > kLimit - 200);
  const Line parsed(cut);
  CHECK(parsed.at("/invlog/inputCut").get_bool().value());
  CHECK(parsed.at("/invlog/inputOriginalBytes").get_uint64().value() ==
        over.record.request.bytes.size());
  CHECK(!parsed.has("/invlog/outputCut"));
  CHECK(parsed.has("/output/outputBodyJson"));
}

TEST_CASE("a body that does not fit becomes the place of its S3 object") {
  const Progress progress;
  progress.get_through();
  const EventMessage messages(s3());
  const StoredRecord record = stored(json_of(2'000'000), json_of(150'000));
  const Line line(messages.of(progress.seen(), record));
  ObjectLayout layout{"p", "111122223333", "eu-central-1", Compression::gzip, std::string(32, 'a')};
  CHECK(line.text("/input/inputBodyS3Path") ==
        s3_uri("records-eu", body_key(layout, record, BodySide::input)));
  CHECK(!line.has("/input/inputBodyJson"));
  CHECK(line.text("/output/outputBodyJson/text").size() == 150'000 - 11);
  CHECK(!line.has("/output/outputBodyS3Path"));
  CHECK(!line.has("/invlog/inputCut"));
  CHECK(!line.has("/invlog/outputCut"));
}

TEST_CASE("the largest body gives way first, the other only if it must") {
  const Progress progress;
  progress.get_through();
  const EventMessage messages(s3());
  const Line output_first(messages.of(progress.seen(), stored(json_of(300'000), json_of(900'000))));
  CHECK(output_first.has("/output/outputBodyS3Path"));
  CHECK(output_first.has("/input/inputBodyJson"));
  const Line both(messages.of(progress.seen(), stored(json_of(2'000'000), json_of(3'000'000))));
  CHECK(both.has("/output/outputBodyS3Path"));
  CHECK(both.has("/input/inputBodyS3Path"));
}

TEST_CASE("without large bodies on S3, or where it keeps them inline, bodies are cut") {
  const Progress progress;
  progress.get_through();
  S3Options inline_only = s3();
  inline_only.large_bodies = false;
  S3Options large_only = s3();
  large_only.large_body_bytes = 5'000'000;
  for (const S3Options& options : {inline_only, large_only}) {
    const EventMessage messages(options);
    const std::string message =
        messages.of(progress.seen(), stored(json_of(2'000'000), json_of(3'000'000)));
    CHECK(message.size() <= kLimit);
    CHECK(message.size() > kLimit - 300);
    const Line line(message);
    CHECK(!line.has("/input/inputBodyS3Path"));
    CHECK(line.at("/invlog/inputCut").get_bool().value());
    CHECK(line.at("/invlog/outputCut").get_bool().value());
    CHECK(line.at("/invlog/outputOriginalBytes").get_uint64().value() == 3'000'000);
    const auto input = line.text("/input/inputBodyJson/text").size();
    const auto output = line.text("/output/outputBodyJson/text").size();
    CHECK((input > 500'000 && output > 500'000));
  }
}

TEST_CASE("a record that S3 was never to get, or under a name not yet known, is not pointed to") {
  const Progress progress;
  progress.get_through();
  const auto places = [&progress](const S3Options& options, const Origin& from) {
    return !progress.place(options, from).empty();
  };
  S3Options from_now = s3();
  from_now.from_now = true;
  CHECK_FALSE(places(from_now, origin()));
  Origin later = origin(), in_time = origin();
  later.first_in_s3 = 18;  // the record is 17
  in_time.first_in_s3 = 17;
  for (const S3Options& options : {s3(), from_now}) {
    CHECK_FALSE(places(options, later));
    CHECK(places(options, in_time));
  }

  Origin nameless = origin();
  nameless.store.account_id.clear();
  CHECK_FALSE(places(s3(), nameless));
  S3Options elsewhere = s3();
  elsewhere.endpoint = "https://s3.example.com";
  progress.get_through(elsewhere);
  CHECK(places(elsewhere, nameless));  // there, `unknown` stands for it
}

TEST_CASE("a body is pointed to where S3 has it, whatever is configured by now") {
  const Progress progress;
  const std::string folder = "s3://former/AWSLogs/1/BedrockModelInvocationLogs/r/data/";
  progress.deliver({{folder + "x_output.json.zst", 17, 17},
                    {folder + "x_input.json.zst", 17, 17},
                    {"s3://former/AWSLogs/lines_input.json.gz", 17, 17}});
  CHECK(progress.place(s3()) == folder + "x_input.json.zst");
}

TEST_CASE("a body that S3 was given inline, or not at all, is cut") {
  const Progress progress;
  progress.deliver({{"s3://records-eu/lines.json.gz", 1, 18}});
  CHECK(progress.place(s3()).empty());
}

TEST_CASE("a body is pointed to by the plan under way, for the bucket that it is followed in") {
  const Progress progress;
  progress.get_through();
  CHECK(progress.place(s3()) == key_of(s3()));  // nothing was begun
  S3Options planned = s3();
  planned.prefix = "former";
  planned.compression = Compression::zstd;
  const auto put = [&progress](const S3Options& options, std::int64_t last) {
    const std::string target = s3_target(options);
    progress.ledger->put_plan("s3", last,
                              stored_plan(target, BatchPlan::of(options, origin()).json()), target);
  };
  put(planned, 17);
  CHECK(progress.place(s3()) == key_of(planned));
  S3Options elsewhere = s3();
  elsewhere.bucket = "others-eu";
  CHECK(progress.place(elsewhere).empty());
  put(elsewhere, 17);
  CHECK(progress.place(s3()) == key_of(s3()));
  put(planned, 16);
  CHECK(progress.place(s3()) == key_of(s3()));
  planned.large_bodies = false;
  put(planned, 17);
  CHECK(progress.place(s3()).empty());
}

TEST_CASE("a body is not pointed to by a plan of version 1, which may give its name to another") {
  const Progress progress;
  progress.get_through();
  std::string plan = BatchPlan::of(s3(), origin()).json();
  const std::string_view version = "\"version\":2";
  plan.replace(plan.find(version), version.size(), "\"version\":1");
  progress.ledger->put_plan("s3", 17, stored_plan(s3_target(s3()), plan), s3_target(s3()));
  CHECK(progress.place(s3()).empty());
}

TEST_CASE("a body is pointed to only while S3 gets through to the bucket that is configured") {
  const Progress progress;
  // Without a ledger nothing is known of S3.
  CHECK_FALSE(Line(EventMessage(s3()).of(origin(), stored(json_of(2'000'000), "{}")))
                  .has("/input/inputBodyS3Path"));
  CHECK(progress.place(s3()).empty());
  CHECK_FALSE(progress.ledger->find_state("s3"));
  progress.ledger->state("s3");
  CHECK(progress.place(s3()).empty());
  progress.deliver({}, 1, 0);  // nothing but dead letters
  CHECK(progress.place(s3()).empty());
  progress.get_through();
  CHECK(progress.place(s3()) == key_of(s3()));

  S3Options other = s3();
  other.bucket = "others-eu";
  CHECK(progress.place(other).empty());
  S3Options same = s3();
  same.endpoint = "https://s3.eu-central-1.amazonaws.com";
  CHECK(progress.place(same) == key_of(s3()));

  progress.ledger->note_failure("s3", "bucket records-eu is in us-east-1", false);
  CHECK(progress.place(s3()).empty());
  progress.deliver({}, 11);
  CHECK(progress.place(s3()) == key_of(s3()));
}

TEST_CASE("a body that S3 has inline is not pointed to although the other is") {
  // 100 KB is inline on S3: only the input has an object.
  const Progress progress;
  progress.get_through();
  const EventMessage messages(s3(), 90'000);
  const Line line(messages.of(progress.seen(), stored(json_of(200'000), json_of(100'000))));
  CHECK(line.has("/input/inputBodyS3Path"));
  CHECK(!line.has("/output/outputBodyS3Path"));
  CHECK(line.at("/invlog/outputCut").get_bool().value());
  CHECK(!line.has("/invlog/inputCut"));
}

TEST_CASE("bytes that are no JSON are cut to their first ones") {
  const EventMessage messages(std::nullopt);
  std::string bytes;
  for (int number = 0; number < 900'000; ++number) {
    bytes += static_cast<char>(number * 7);
  }
  const std::string message = messages.of(origin(), stored(bytes, "", false));
  CHECK(message.size() <= kLimit);
  CHECK(message.size() > kLimit - 200);
  const Line line(message);
  const auto shown = invlog::storage::base64_decode(line.text("/invlog/inputBodyBase64"));
  REQUIRE(shown);
  CHECK(shown->size() > 700'000);
  CHECK(bytes.starts_with(*shown));
  CHECK(line.at("/invlog/inputOriginalBytes").get_uint64().value() == 900'000);
}

TEST_CASE("metadata and details that are too long are cut, too") {
  const EventMessage messages(std::nullopt);
  StoredRecord record = stored(json_of(2'000'000), "{}");
  record.record.request_metadata = R"({"team":")" + std::string(900'000, 't') + "\"}";
  record.record.details = R"({"error":")" + std::string(900'000, 'e') + "\"}";
  const std::string message = messages.of(origin(), record);
  CHECK(message.size() <= kLimit);
  const Line line(message);
  CHECK(line.at("/invlog/requestMetadataCut").get_bool().value());
  CHECK(line.at("/invlog/detailsCut").get_bool().value());
  CHECK(line.text("/requestMetadata/team").size() > 100'000);
  CHECK(line.text("/input/inputBodyJson/text").size() > 500'000);
}

TEST_CASE("a record that cannot fit at all has no message") {
  StoredRecord record = stored("{}", "{}");
  record.record.model_id = std::string(kLimit, 'm');
  CHECK(EventMessage(s3()).of(origin(), record).empty());
}

TEST_CASE("a body that is no UTF-8 although it is said to be JSON does not grow") {
  const EventMessage messages(std::nullopt);
  const StoredRecord record = stored(json_of(1'040'000, '\xff'), "{}");
  const std::string message = messages.of(origin(), record);
  CHECK(message.size() <= kLimit);
  const Line line(message);
  CHECK(line.text("/input/inputBodyJson/text") == std::string(1'040'000 - 11, '?'));
}

TEST_CASE("any record in any room is valid JSON within it") {
  const Progress progress;
  progress.get_through();
  for (std::uint32_t seed = 0; seed < 800; ++seed) {
    RandomJson random(seed);
    StoredRecord record = stored(random.document(), random.document());
    record.record.request.is_json = random.below(5) != 0;
    record.record.response.is_json = random.below(5) != 0;
    const std::size_t whole = invlog::storage::record_json(origin().store, record).size();
    const std::size_t limit = 700 + random.below(whole);
    S3Options options = s3();
    options.large_body_bytes = random.below(3000);
    const EventMessage messages(random.below(2) == 0 ? std::nullopt : std::optional(options),
                                limit);
    const std::string message = messages.of(progress.seen(), record);
    INFO("seed " << seed << " limit " << limit);
    REQUIRE(!message.empty());
    REQUIRE(message.size() <= limit);
    REQUIRE(message.find('\n') == std::string::npos);
    const Line line(message);
    REQUIRE((whole <= limit || line.has("/invlog/inputCut") || line.has("/invlog/outputCut") ||
             line.has("/input/inputBodyS3Path") || line.has("/output/outputBodyS3Path")));
  }
}

#include "agent/residency/trail_text.h"

#include <zlib.h>

#include <vector>

#include "agent/residency/json_elements.h"
#include "agent/residency/trail_files.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/residency/trail_samples.h"

using namespace invlog::residency;
using namespace invlog::tests;

namespace {

struct Cut {
  std::vector<std::string> elements, problems;
  std::vector<std::uint64_t> offsets;

  bool operator==(const Cut&) const = default;
};

// As portions of `portion` bytes, the first of `first`.
Cut cut(std::string_view text, std::size_t first, std::size_t portion,
        std::size_t maximum = JsonElements::kMaximumElement) {
  Cut result;
  JsonElements elements(
      [&](std::string& element, std::uint64_t offset) {
        result.elements.push_back(element);
        result.offsets.push_back(offset);
      },
      [&](std::uint64_t offset, const std::string& what) {
        result.problems.push_back(std::to_string(offset) + ": " + what);
      },
      maximum);
  elements.feed(text.substr(0, first));
  for (std::size_t at = first; at < text.size(); at += portion) {
    elements.feed(text.substr(at, portion));
  }
  elements.finish();
  return result;
}

Cut cut(std::string_view text, std::size_t maximum = JsonElements::kMaximumElement) {
  return cut(text, text.size(), 1, maximum);
}

struct Event {
  std::string request_id, operation, inference_region, principal;
};

class Collector final : public TrailSink {
 public:
  void event(const TrailEvent& event) override {
    events.push_back({std::string(event.request_id), std::string(event.operation),
                      std::string(event.inference_region), std::string(event.principal)});
  }
  void problem(TrailProblem problem) override {
    problems.push_back(problem.where + ":" +
                       (problem.offset ? std::to_string(*problem.offset) : "") + ": " +
                       problem.what);
  }
  void progress(const TrailProgress& progress) override { newest = progress; }
  bool stopped() const override { return stop; }

  std::vector<Event> events;
  std::vector<std::string> problems;
  TrailProgress newest;
  bool stop = false;
};

Collector read(const std::string& bytes, std::size_t portion = 7) {
  Collector collector;
  TrailText text("t.json", collector);
  for (std::size_t at = 0; at < bytes.size(); at += portion) {
    text.feed(std::string_view(bytes).substr(at, portion));
  }
  text.finish();
  return collector;
}

std::string gzip(const std::string& text) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  return packed;
}

const std::string kTricky =
    "\xef\xbb\xbf{ \"digest\": {\"Records\": [1, {\"no\": 2}]}, \"Rec\\u006frds\" : [{}],\n"
    "  \"Records\" :[\n {\"a\":\"]}{[ \\\" \\\\\",\"b\":[[{}],\"Gr\xc3\xbc\xc3\x9f "
    "\xf0\x9f\x98\x80\"]} ,{} ,"
    "{\"Records\":[{\"x\":1}]}],\"more\":{\"Events\":[]}}\n"
    "[{\"in\":\"list\"}]\n{\"line\":1}\n{\"line\":2} {\"Events\":[{\"e\":1}],\"NextToken\":null}";

}  // namespace

TEST_CASE("every form of a trail's file is cut into its events, wherever a portion ends") {
  const Cut whole = cut(kTricky);
  CHECK(whole.problems.empty());
  CHECK(whole.elements ==
        std::vector<std::string>{
            "{\"a\":\"]}{[ \\\" \\\\\",\"b\":[[{}],\"Gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80\"]}", "{}",
            "{\"Records\":[{\"x\":1}]}", "{\"in\":\"list\"}", "{\"line\":1}", "{\"line\":2}",
            "{\"e\":1}"});
  for (std::size_t place = 0; place < whole.elements.size(); ++place) {
    CHECK(kTricky.substr(whole.offsets[place]).starts_with(whole.elements[place]));
  }
  for (std::size_t first = 0; first <= kTricky.size(); ++first) {
    CHECK(cut(kTricky, first, kTricky.size()) == whole);
  }
  CHECK(cut(kTricky, 0, 1) == whole);
  CHECK(cut(kTricky, 0, 3) == whole);
}

TEST_CASE("a text that ends in the middle is a problem, and what is whole before it counts") {
  const std::string text = "{\"Records\":[{\"a\":1},{\"b\":\"\\u00e4\"}]}";
  for (std::size_t length = 1; length < text.size(); ++length) {
    const Cut result = cut(text.substr(0, length));
    const std::size_t whole = length >= 34 ? 2 : length >= 19 ? 1 : 0;
    CHECK(result.elements.size() == whole);
    CHECK(result.problems ==
          std::vector<std::string>{std::to_string(length) +
                                   ": the text ends in the middle of an event or of the list"});
  }
  CHECK(cut(text).problems.empty());
  CHECK(cut("").problems.empty());
}

TEST_CASE("damage costs the line that it is in, and is told with its place") {
  for (const char* damaged : {"{\"a\":[1}", "{\"a\":\"cut", "hello", "{\"a\":1}}", "[{\"b\":2}, 7]",
                              "{\"c\":\"\x01\"}", "]"}) {
    const std::string text = std::string("{\"first\":1}\n") + damaged + "\n{\"last\":1}\n";
    const Cut result = cut(text);
    CAPTURE(damaged);
    CHECK(result.elements.front() == "{\"first\":1}");
    CHECK(result.elements.back() == "{\"last\":1}");
    REQUIRE(result.problems.size() == 1);
    const auto place = std::stoul(result.problems.front());
    CHECK(place >= 12);
    CHECK(place <= 12 + std::string(damaged).size());
    CHECK(cut(text, 0, 1) == result);
  }
  const Cut deep = cut(std::string(1000, '[') + "\n{\"last\":1}");
  CHECK(deep.elements == std::vector<std::string>{"{\"last\":1}"});
}

TEST_CASE("an event that is too long is left out, and the rest is read") {
  const std::string huge = "{\"x\":\"" + std::string(5000, 'y') + "\"}";
  const std::string text = "{\"Records\":[{\"a\":1}," + huge + ",{\"b\":2}]}";
  for (const std::size_t portion : {1u, 64u, 100000u}) {
    const Cut result = cut(text, 0, portion, 100);
    CHECK(result.elements == std::vector<std::string>{"{\"a\":1}", "{\"b\":2}"});
    CHECK(result.problems ==
          std::vector<std::string>{"20: an event is longer than 100 bytes, and was left out"});
  }
  // What comes before the list may be long, though.
  CHECK(cut("{\"x\":\"" + std::string(500, 'y') + "\",\"Records\":[{}]}", 100).elements.size() ==
        1);
}

TEST_CASE("the documented event and the one of cross-Region inference are read") {
  const Collector read_whole = read("{\"Records\":[" + std::string(kDocumentedEvent) + "," +
                                    std::string(kRoutedEvent) + "]}");
  CHECK(read_whole.problems.empty());
  REQUIRE(read_whole.events.size() == 2);
  CHECK(read_whole.events[0].request_id == "a1b2c3d4-5678-90ab-cdef-EXAMPLE22222");
  CHECK(read_whole.events[0].operation == "InvokeModel");
  CHECK(read_whole.events[0].inference_region.empty());
  CHECK(read_whole.events[0].principal == "arn:aws:iam::111122223333:user/userxyz");
  CHECK(read_whole.events[1].inference_region == "ap-southeast-4");

  TrailEventReader reader;
  std::string text(kDocumentedEvent);
  const auto event = reader.read(text);
  REQUIRE(event);
  CHECK(event->invocation);
  CHECK(event->at_us == 1'697'061'539'000'000);
  CHECK(event->region == "us-west-2");
  CHECK(event->account == "111122223333");
  CHECK(event->caller_account == "111122223333");
  CHECK(event->event_id == "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111");
  CHECK(event->model == "stability.stable-diffusion-xl-v0");
  CHECK(event->source_address == "192.0.2.0");
  CHECK(event->error.empty());
}

TEST_CASE("other events are no invocations, and what is no event says why") {
  TrailEventReader reader;
  const auto outcome = [&](std::string text) {
    const auto event = reader.read(text);
    return event ? (event->invocation ? "invocation" : "other") : event.error();
  };
  CHECK(outcome(R"({"eventSource":"s3.amazonaws.com","eventName":"InvokeModel"})") == "other");
  CHECK(outcome(R"({"eventSource":"bedrock.amazonaws.com","eventName":"ListFoundationModels"})") ==
        "other");
  CHECK(outcome(R"({"eventSource":"bedrock.amazonaws.com","eventName":"Converse"})") ==
        "Converse has no eventTime that can be read");
  CHECK(outcome(R"({"eventSource":"bedrock.amazonaws.com","eventName":"Converse","requestID":null,)"
                R"("eventTime":"2026-01-01T00:00:00Z","awsRegion":"x","eventID":"y"})") ==
        "Converse has no requestID that can be read");
  CHECK(outcome(R"({"eventSource":7,"eventName":[]})") ==
        "it is no event of CloudTrail: eventSource or eventName is missing");
  CHECK(outcome("{\"a\":tru}") == "an event is not valid JSON");
  CHECK(outcome(R"({"CloudTrailEvent":"{\"eventSource\""})") ==
        "CloudTrailEvent, which should be an event as a string, is not valid JSON");
  CHECK(outcome(
            R"({"EventId":"1","CloudTrailEvent":"{\"eventSource\":\"a\",\"eventName\":\"b\"}"})") ==
        "other");
}

TEST_CASE("gzip is unpacked, of several members and with padding; damage keeps what came before") {
  const std::string first = trail_event({"one"}), second = trail_event({"two"});
  const std::string packed = gzip(first + "\n") + gzip(second);
  for (const std::size_t portion : {1u, 5u, 100000u}) {
    const Collector whole = read(packed + std::string(9, '\0'), portion);
    CHECK(whole.events.size() == 2);
    CHECK(whole.problems.empty());
  }
  const Collector truncated = read(packed.substr(0, packed.size() - 9));
  CHECK(truncated.events.size() == 2);
  REQUIRE(truncated.problems.size() == 1);
  CHECK_THAT(truncated.problems.front(), contains_text("the gzip data ends in the middle"));

  const Collector followed = read(packed + "and then?");
  CHECK(followed.events.size() == 2);
  REQUIRE(followed.problems.size() == 1);
  CHECK_THAT(followed.problems.front(),
             contains_text("t.json:" + std::to_string(first.size() + 1 + second.size())));
  CHECK_THAT(followed.problems.front(), contains_text("damaged"));
  CHECK(read("").problems == std::vector<std::string>{"t.json:0: the file is empty"});
  CHECK(read("{").problems.size() == 1);
}

TEST_CASE("a folder is read in the order of names, without what cannot have events") {
  const TemporaryDirectory folder;
  const std::string place = "AWSLogs/1/CloudTrail/";
  folder.write(place + "eu-central-1/2026/1_CloudTrail_eu-central-1_b.json.gz",
               gzip(trail_event({"two"})));
  folder.write(place + "eu-central-1/2026/1_CloudTrail_eu-central-1_a.json", trail_event({"one"}));
  folder.write(place + "us-east-1/1_CloudTrail_us-east-1_a.json", trail_event({"elsewhere"}));
  folder.write("AWSLogs/1/CloudTrail-Digest/digest.json.gz", gzip("{\"logFiles\":[]}"));
  folder.write("notes.txt", "no events");
  folder.write("z.jsonl", trail_event({"three"}) + "\nbroken\n" + trail_event({"four"}));

  TrailFiles files(folder.path() + "/./", "eu-central-1");
  CHECK(files.name() == folder.path());
  Collector all;
  CHECK(files.read(all));
  REQUIRE(all.events.size() == 4);
  for (const auto& [place_in_order, id] :
       {std::pair{0, "one"}, {1, "two"}, {2, "three"}, {3, "four"}}) {
    CHECK(all.events[static_cast<std::size_t>(place_in_order)].request_id == id);
  }
  REQUIRE(all.problems.size() == 1);
  CHECK(all.problems.front() ==
        folder.path() + "/z.jsonl:" + std::to_string(trail_event({"three"}).size() + 1) +
            ": here should be an event, an object in braces");
  CHECK(all.newest.done ==
        all.newest.total - trail_event({"three"}).size() - 8 - trail_event({"four"}).size());

  Collector stopped;
  stopped.stop = true;
  CHECK(files.read(stopped));
  CHECK(stopped.events.empty());

  Collector none;
  const auto nothing = TrailFiles(folder.path(), "eu-west-1").read(none);
  CHECK(nothing);  // z.jsonl may be of any Region
  CHECK_THAT(TrailFiles(folder.path() + "/nowhere", "eu-west-1").read(none).error(),
             contains_text("No such file"));
  CHECK_THAT(
      TrailFiles(folder.path() + "/AWSLogs/1/CloudTrail-Digest", "eu-west-1").read(none).error(),
      contains_text("no file in it"));
}

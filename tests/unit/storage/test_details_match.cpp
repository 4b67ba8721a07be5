#include "storage/details_match.h"

#include "storage/base64.h"
#include "tests/catch.h"
#include "tests/worked_time.h"

using namespace invlog::storage;

namespace {

// What matches, "-" if nothing does.
std::string match(const std::string& text, const std::string& details, Bodies of = Bodies::both) {
  const auto found = find_in_details(TextMatcher(text), details, of);
  return found ? found->around.substr(found->in_that.offset, found->in_that.size) : "-";
}

std::string quoted_base64(const std::string& bytes) {
  return '"' + base64_encode(bytes) + '"';
}

}  // namespace

TEST_CASE("A text is found in the events that details keep, however JSON writes it") {
  const std::string details =
      R"({"error":"Ada, \"x\"","otherRequestEvents":[{"type":"a","payload":{"t":"J\u00fcrgen"}}],)"
      R"("requestEvents":1,"otherEvents":[{"type":"b","payload":["Bob",{"}":"]"}]}],)"
      R"("streamErrors":[{"type":"exception","message":"for Carol"}]})";
  CHECK(match("Jürgen", details) == R"(J\u00fcrgen)");
  CHECK(match("Bob", details) == "Bob");
  CHECK(match("Carol", details) == "Carol");
  const auto found = find_in_details(TextMatcher("Bob"), details, Bodies::both);
  CHECK(details.substr(found->offset, 3) == "Bob");
}

TEST_CASE("What was asked and what was answered are looked into apart") {
  const std::string details = R"({"otherRequestEvents":["Ada"],"otherEvents":["Bob"]})";
  CHECK(match("Ada", details, Bodies::request) == "Ada");
  CHECK(match("Bob", details, Bodies::request) == "-");
  CHECK(match("Ada", details, Bodies::response) == "-");
  CHECK(match("Bob", details, Bodies::response) == "Bob");
}

TEST_CASE("What details say of the call is no content") {
  CHECK(match("proxy", R"({"capture":"proxy","otherEvents":["x"],"rule":"proxy"})") == "-");
  CHECK(match("proxy", R"({"error":"\"otherEvents\":[\"proxy\"]"})") == "-");
}

TEST_CASE("A text is found in what is base64 in details, and in that once more") {
  const std::string frame = std::string("\0\x01\"\x02", 4) + R"({"text":"J\u00fcrgen"})" + "\xFF";
  const std::string chunk =
      "\"\x01{\"bytes\":" + quoted_base64(R"({"delta":"Bob", "more":1})") + "}";
  CHECK(match("Jürgen", "{\"undecoded\":" + quoted_base64(frame) + "}") == R"(J\u00fcrgen)");
  CHECK(match("Bob", "{\"undecoded\":" + quoted_base64(chunk) + "}") == "Bob");
  CHECK(match("Bob", R"({"otherEvents":[{"type":"a","payload":)" + quoted_base64(chunk) + "}]}") ==
        "Bob");
  CHECK(match("Bob", R"({"otherEvents":[{"payload":{"bytes":)" + quoted_base64("for Bob") +
                         "}}]}") == "Bob");
  // A stream that was cut within a chunk's base64.
  const std::string cut = chunk.substr(0, chunk.size() - 5);
  CHECK(match("Bob", "{\"undecoded\":" + quoted_base64(cut) + "}") == "Bob");
  const std::string details = "{\"undecoded\":" + quoted_base64(chunk) + "}";
  const auto found = find_in_details(TextMatcher("Bob"), details, Bodies::both);
  CHECK(details.substr(found->offset) == base64_encode(chunk) + "\"}");
}

TEST_CASE("In details that are no JSON nothing is found, and nothing is read past their end") {
  const std::string details = R"({"a":{"b":["\\"]},"otherEvents":["Bob"]})";
  for (std::size_t size = 0; size < details.size() - 4; ++size) {
    INFO(size);
    const std::string found = match("Bob", details.substr(0, size));
    CHECK((found == "-" || size >= details.find("Bob") + 3));
  }
  CHECK(match("Bob", R"([{"otherEvents":["Bob"]}])") == "-");
}

TEST_CASE("The time of a search of details grows with their length") {
  const auto work_on = [](int size) {
    std::string events;
    for (int i = 0; i < size; ++i) {
      events += R"({"payload":"QUJD"},)";
    }
    const std::string details = "{\"otherEvents\":[" + events + "1]}";
    const double begun = invlog::tests::worked_ms();
    CHECK(match("absent", details) == "-");
    return invlog::tests::worked_ms() - begun;
  };
  const double small = work_on(5'000);
  CHECK(work_on(80'000) < 64 * small);  // a square would be 256 times, its length is 16 times
}

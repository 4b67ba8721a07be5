#include "storage/text_matcher.h"

#include <string>

#include "tests/catch.h"
#include "tests/worked_time.h"

using invlog::storage::TextMatcher;

namespace {

// What of the body matches, "-" if nothing does.
std::string match(const std::string& text, const std::string& body) {
  const auto found = TextMatcher(text).find_in(body);
  return found ? body.substr(found->offset, found->size) : "-";
}

}  // namespace

TEST_CASE("A text is found in every way JSON writes it") {
  CHECK(match("Jürgen", R"({"a":"Jürgen"})") == "Jürgen");
  CHECK(match("Jürgen", R"({"a":"x J\u00fcrgen"})") == R"(J\u00fcrgen)");
  CHECK(match("Jürgen", R"({"a":"\u004A\u00FcrGen J\u00FCrgen"})") == R"(J\u00FCrgen)");
  CHECK(match("Jürgen", R"(\u004A\u00FCrge\u006e)") == R"(\u004A\u00FCrge\u006e)");
  CHECK(match("R&D", R"("R\u0026D")") == R"(R\u0026D)");
  CHECK(match("<s@x.de>", R"("\n\u003cs@x.de\u003e\n")") == R"(\u003cs@x.de\u003e)");
  CHECK(match("a/b", R"("a\/b")") == R"(a\/b)");
  CHECK(match("a/b", R"("a\u002Fb")") == R"(a\u002Fb)");
  CHECK(match("two\nlines, \"x\"", R"("two\nlines, \"x\"")") == R"(two\nlines, \"x\")");
  CHECK(match("C:\\new", R"("C:\\new")") == R"(C:\\new)");
  CHECK(match("\xf0\x9f\x98\x80 ok", R"("\ud83d\ude00 \uD83D\uDE00 ok")") == R"(\uD83D\uDE00 ok)");
}

TEST_CASE("A text is found in JSON within strings of JSON") {
  CHECK(match("Jürgen", R"({"arguments":"{\"to\":\"J\\u00fcrgen\"}"})") == R"(J\\u00fcrgen)");
  CHECK(match("a/b", R"("{\"x\":\"{\\\"y\\\":\\\"a\\\\\\/b\\\"}\"}")") == R"(a\\\\\\/b)");
  CHECK(match("ü", R"(\u005cu00fc)") == R"(\u005cu00fc)");
}

TEST_CASE("A text is found in chunks, in what is no JSON, and in what was cut") {
  CHECK(match("Jürgen", R"([{"delta":{"text":"Herr"}},{"delta":{"text":" J\u00fcrgen,"}}])") ==
        R"(J\u00fcrgen)");
  CHECK(match("Jürgen", "data: {\"text\":\"J\\u00fcrgen\"}\n\ndata: [DONE]\n\n") ==
        R"(J\u00fcrgen)");
  CHECK(match("Jürgen", "{\"text\":\"J\\u00fcrgen\\u00") == R"(J\u00fcrgen)");
  CHECK(match("Jürgen", "{\"text\":\"J\\u00fcrgen\\") == R"(J\u00fcrgen)");
}

TEST_CASE("What is not there is not found") {
  CHECK(match("Jürgen", "") == "-");
  CHECK(match("Jürgen", R"("jürgen J\u00fc rgen J\u00fdrgen J\u0fcrgen J\\\u00fcrgen")") == "-");
  CHECK(match("a/c", R"("a\\/b\q")") == "-");
  CHECK(match("\xf0\x9f\x98\x80", R"("\ude00\ud83d \ud83dx")") == "-");
}

TEST_CASE("The time of a search grows with the body's length") {
  const auto work_on = [](int size) {
    std::string body;
    for (int i = 0; i < size; ++i) {
      body += i % 2 == 0 ? R"(\\)" : R"(\u0061)";
    }
    const double begun = invlog::tests::worked_ms();
    CHECK(match("Jürgen/", body) == "-");
    CHECK(match(std::string(1000, 'a') + "/", body) == "-");
    return invlog::tests::worked_ms() - begun;
  };
  const double small = work_on(25'000);
  CHECK(work_on(400'000) < 64 * small);  // a square would be 256 times, its length is 16 times
}

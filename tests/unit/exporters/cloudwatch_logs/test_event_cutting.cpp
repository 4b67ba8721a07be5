#include <simdjson.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "exporters/cloudwatch_logs/event_cutting.h"
#include "tests/catch.h"
#include "tests/sanitized.h"
#include "tests/unit/exporters/cloudwatch_logs/random_json.h"

using namespace invlog::exporters;
using invlog::test::RandomJson;
using simdjson::dom::element;
using simdjson::dom::element_type;

namespace {

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

// Whether `cut` is `whole` with less in it: strings and arrays begin the same, objects have some of
// the members in the same order, everything else is the same.
bool is_less_of(const element& cut, const element& whole) {
  if (cut.type() != whole.type()) {
    return false;
  }
  switch (cut.type()) {
    case element_type::STRING:
      return std::string_view(whole).starts_with(std::string_view(cut));
    case element_type::ARRAY: {
      auto other = simdjson::dom::array(whole).begin();
      const auto end = simdjson::dom::array(whole).end();
      for (const element child : simdjson::dom::array(cut)) {
        if (!(other != end) || !is_less_of(child, *other)) {
          return false;
        }
        ++other;
      }
      return true;
    }
    case element_type::OBJECT: {
      auto other = simdjson::dom::object(whole).begin();
      const auto end = simdjson::dom::object(whole).end();
      for (const auto member : simdjson::dom::object(cut)) {
        while (other != end &&
               !(other.key() == member.key && is_less_of(member.value, other.value()))) {
          ++other;
        }
        if (!(other != end)) {
          return false;
        }
        ++other;
      }
      return true;
    }
    default:
      return simdjson::minify(cut) == simdjson::minify(whole);
  }
}

std::string repeated(const std::string& piece, std::size_t times) {
  std::string out;
  for (std::size_t count = 0; count < times; ++count) {
    out += piece;
  }
  return out;
}

}  // namespace

TEST_CASE("what fits stays as it is, byte for byte") {
  const std::string json = R"({"big":12345678901234567890123, "text":"\u00e9\/", "list":[ 1,2 ]})";
  CHECK(cut_json(json, json.size()) == json);
  CHECK(cut_json(" \n" + json + "\n", json.size()) == json);
}

TEST_CASE("one long string is cut and all else is kept") {
  const std::string json = R"({"messages":[{"role":"user","content":[{"text":")" +
                           std::string(5000, 'x') +
                           R"("}]}],"inferenceConfig":{"maxTokens":100,"temperature":0.10}})";
  const std::string cut = cut_json(json, 1000);
  CHECK(cut.size() == 1000);
  CHECK(cut == R"({"messages":[{"role":"user","content":[{"text":")" +
                   std::string(5000 - (json.size() - 1000), 'x') +
                   R"("}]}],"inferenceConfig":{"maxTokens":100,"temperature":0.10}})");
}

TEST_CASE("what is large shares the room and the small siblings stay whole") {
  const std::string json = R"({"system":")" + std::string(4000, 's') + R"(","messages":")" +
                           std::string(9000, 'm') + R"(","id":7})";
  const std::string cut = cut_json(json, 2000);
  const auto count = [&](char byte) { return std::count(cut.begin(), cut.end(), byte); };
  CHECK(cut.size() <= 2000);
  CHECK(cut.size() > 1950);
  CHECK(std::abs(count('s') - count('m')) < 30);
  CHECK(cut.find(R"("id":7})") != std::string::npos);
}

TEST_CASE("of many small elements the first ones are kept whole and the last ones dropped") {
  std::string json = "[0";
  for (int number = 1; number < 5000; ++number) {
    json += R"(,{"chunk":)" + std::to_string(number) + "}";
  }
  json += "]";
  const std::string cut = cut_json(json, 1000);
  CHECK(is_json(cut));
  CHECK(cut.size() <= 1000);
  CHECK(cut.size() > 980);
  CHECK(json.starts_with(cut.substr(0, cut.rfind(',') - 1)));
}

TEST_CASE("a string is cut between characters") {
  struct Case {
    const char* piece;
    std::size_t bytes;
  };
  for (const Case& each :
       {Case{"\\ud83d\\ude00", 12}, Case{"\\u20ac", 6}, Case{"\\\\", 2}, Case{"\\\"", 2},
        Case{"\xF0\x9F\x98\x80", 4}, Case{"\xE2\x82\xAC", 3}, Case{"\xC3\xA9", 2}}) {
    for (std::size_t lead = 0; lead < 2; ++lead) {
      const std::string json = '"' + std::string(lead, 'x') + repeated(each.piece, 40) + '"';
      for (std::size_t budget = 2 + lead; budget < json.size(); ++budget) {
        INFO(each.piece << " budget " << budget);
        const std::size_t whole = (budget - 2 - lead) / each.bytes;
        CHECK(cut_json(json, budget) ==
              '"' + std::string(lead, 'x') + repeated(each.piece, whole) + '"');
      }
    }
  }
}

TEST_CASE("a lone surrogate's escape is kept whole or not at all") {
  const std::string json = R"("ab\ud83dcd\ud83d\n")";
  CHECK(cut_json(json, 9) == R"("ab")");
  CHECK(cut_json(json, 10) == R"("ab\ud83d")");
  CHECK(cut_json(json, 18) == R"("ab\ud83dcd\ud83d")");
}

TEST_CASE("no number loses digits") {
  CHECK(cut_json("12345", 4) == "null");
  CHECK(cut_json("[1,2,12345]", 8) == "[1,2]");
  CHECK(cut_json(R"({"a":12345,"b":1})", 9) == R"({"b":1})");
  CHECK(cut_json("12345", 3).empty());
}

TEST_CASE("too deep to look into is empty") {
  const std::string json =
      repeated("[", 500) + '"' + std::string(5000, 'x') + '"' + repeated("]", 500);
  const std::string cut = cut_json(json, 1000);
  CHECK(is_json(cut));
  CHECK(cut.find('x') == std::string::npos);
}

TEST_CASE("any document cut to any length is valid, fits, and is less of the same") {
  std::size_t cuts = 0;
  constexpr std::uint32_t kSeeds = invlog::tests::kSanitized ? 150 : 1500;
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    RandomJson random(seed);
    const std::string json = random.document();
    simdjson::dom::parser whole_parser, cut_parser;
    element whole, less;
    REQUIRE(whole_parser.parse(json).get(whole) == simdjson::SUCCESS);
    for (int round = 0; round < 12; ++round) {
      const std::size_t budget = random.below(json.size() + 4);
      const std::string cut = cut_json(json, budget);
      INFO("seed " << seed << ", budget " << budget << "\n" << json << "\n" << cut);
      REQUIRE(cut.size() <= budget);
      if (cut.empty()) {
        REQUIRE(budget < 4);
        continue;
      }
      REQUIRE(cut_parser.parse(cut).get(less) == simdjson::SUCCESS);
      REQUIRE((cut == "null" || is_less_of(less, whole)));
      cuts += cut.size() + 8 < json.size() ? 1 : 0;
    }
  }
  CHECK(cuts > kSeeds * 3);
}

TEST_CASE("the room is used: little is lost to rounding where strings are long") {
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    RandomJson random(seed);
    std::string json = "[";
    for (std::size_t count = 2 + random.below(20); count > 0; --count) {
      json += R"({"role":"user","text":")" + std::string(2000 + random.below(20000), 'x') + "\"},";
    }
    json.back() = ']';
    const std::size_t budget = json.size() / 2;
    const std::string cut = cut_json(json, budget);
    INFO(seed);
    CHECK(cut.size() <= budget);
    CHECK(cut.size() > budget * 3 / 4);
  }
}

TEST_CASE("what is no JSON ends, within the budget") {
  for (const char* text : {"",
                           "   ",
                           "{",
                           "[",
                           "\"",
                           "\"\\",
                           "{\"a",
                           "{\"a\"",
                           "{\"a\":",
                           "[[[[",
                           "]",
                           "}",
                           "{:1,:2,:3}",
                           "[1 2 3 4 5 6 7 8]",
                           "{\"a\" \"b\" \"c\"}",
                           "[,,,,,,,,]",
                           "\"\\ud83d\\",
                           "\"\\ud83d\\u",
                           "{\"aaaaaaaaaaaaaaaaaaaaaa\\",
                           "[}]}]}]}"}) {
    for (std::size_t budget = 0; budget < 12; ++budget) {
      INFO(text << " " << budget);
      CHECK(cut_json(text, budget).size() <= budget);
    }
  }
}

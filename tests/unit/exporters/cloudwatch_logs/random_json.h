// JSON documents of every shape, for property tests: short and long strings with escapes and
// characters of one to four bytes, numbers, nested arrays and objects, white space.
#pragma once

#include <cstdint>
#include <random>
#include <string>

namespace invlog::test {

class RandomJson {
 public:
  explicit RandomJson(std::uint32_t seed) : random_(seed) {}

  std::string document(int levels = 6) {
    std::string out;
    value(out, levels);
    return out;
  }
  std::size_t below(std::size_t count) { return random_() % count; }

 private:
  static constexpr std::size_t kEnough = 8000;

  void space(std::string& out) {
    static const char* kSpaces[] = {"", "", "", " ", "\n  ", "\t"};
    out += kSpaces[below(6)];
  }

  void string(std::string& out) {
    static const char* kPieces[] = {"a",
                                    "word ",
                                    "\\n",
                                    "\\\"",
                                    "\\\\",
                                    "\\u00e9",
                                    "\\ud83d\\ude00",
                                    "\xC3\xA9",
                                    "\xE2\x82\xAC",
                                    "\xF0\x9F\x98\x80",
                                    "[",
                                    "}",
                                    ",",
                                    ":"};
    const std::size_t pieces = below(8) == 0 ? below(600) : below(12);
    out += '"';
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      out += kPieces[below(14)];
    }
    out += '"';
  }

  void scalar(std::string& out) {
    static const char* kScalars[] = {"0",    "-1.5e+300", "12345678901234567",
                                     "true", "false",     "null"};
    if (below(2) == 0) {
      string(out);
    } else {
      out += kScalars[below(6)];
    }
  }

  void value(std::string& out, int levels) {
    space(out);
    if (levels == 0 || out.size() > kEnough || below(4) == 0) {
      scalar(out);
    } else {
      const bool object = below(2) == 0;
      const std::size_t count = below(10) == 0 ? below(120) : below(7);
      out += object ? '{' : '[';
      for (std::size_t child = 0; child < count; ++child) {
        out += child == 0 ? "" : ",";
        space(out);
        if (object) {
          string(out);
          space(out);
          out += ':';
        }
        value(out, levels - 1);
      }
      space(out);
      out += object ? '}' : ']';
    }
    space(out);
  }

  std::mt19937 random_;
};

}  // namespace invlog::test

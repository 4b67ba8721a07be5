#include "agent/cli/display_text.h"

#include "tests/catch.h"

using namespace invlog::cli;

TEST_CASE("width counts columns, not bytes") {
  CHECK(display_width("") == 0);
  CHECK(display_width("abc") == 3);
  CHECK(display_width("Grüße") == 5);
  CHECK(display_width("日本語") == 6);
  CHECK(display_width("e\xcc\x81") == 1);         // e and a combining accent
  CHECK(display_width("\xf0\x9f\x98\x80") == 2);  // an emoji
  CHECK(display_width("\xff\xc3") == 2);          // no UTF-8
}

TEST_CASE("text is cut to a width at a character's end") {
  CHECK(cut_to_width("abc", 3) == "abc");
  CHECK(cut_to_width("abcd", 3) == "ab…");
  CHECK(cut_to_width("Grüße aus", 5) == "Grüß…");
  CHECK(cut_to_width("日本語", 5) == "日本…");
  CHECK(cut_to_width("日本語", 4) == "日…");
  CHECK(cut_to_width("abc", 0) == "");
  CHECK(cut_to_width("abc", 1) == "…");
}

TEST_CASE("a text of several lines keeps them, and nothing else that a terminal would obey") {
  CHECK(printable_lines("a\n\tb\r\nc\rd") == "a\n\tb\r\nc\\rd");
  CHECK(printable_lines(std::string_view("\x1b[2K\0\xff", 6)) == "\\x1B[2K\\x00\xef\xbf\xbd");
}

TEST_CASE("nothing that a terminal would obey is printable") {
  CHECK(printable("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(printable("\x1b[31mred\x7f") == "\\x1B[31mred\\x7F");
  CHECK(printable("\xc2\x9b") == "\\x9B");  // a control character beyond ASCII
  CHECK(printable("Grüße \xff") == "Grüße \xef\xbf\xbd");
  CHECK(printable("\xed\xa0\x80") == "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");  // a surrogate
  CHECK(printable("\xc0\xaf") == "\xef\xbf\xbd\xef\xbf\xbd");                  // over-long
}

TEST_CASE("numbers and sizes are readable") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-1234567) == "-1,234,567");
  CHECK(grouped(-123) == "-123");
  CHECK(readable_size(0) == "0 B");
  CHECK(readable_size(1023) == "1023 B");
  CHECK(readable_size(1536) == "1.5 KiB");
  CHECK(readable_size(3ull << 30) == "3.0 GiB");
}

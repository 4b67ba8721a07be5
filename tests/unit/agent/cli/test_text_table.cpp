#include "agent/cli/text_table.h"

#include <sstream>

#include "tests/catch.h"

using namespace invlog::cli;

TEST_CASE("columns are aligned, numbers to the right") {
  std::ostringstream out;
  TextTable table(out, {"name", "n"}, 0);
  table.add({{"Grüße", false}, {"5", true}});
  table.add({{"x", false}, {"1000", true}});
  table.add({{"", false}, {"", false}});
  table.finish();
  CHECK(out.str() ==
        "name      n\n"
        "-----  ----\n"
        "Grüße     5\n"
        "x      1000\n"
        "\n");
}

TEST_CASE("a table without rows is its header, one of text is aligned to the left") {
  std::ostringstream out;
  TextTable table(out, {"a", "b"}, 80);
  table.finish();
  CHECK(out.str() == "a  b\n-  -\n");
  std::ostringstream mixed;
  TextTable text(mixed, {"v"}, 0);
  text.add({{"1", true}});
  text.add({{"word", false}});
  text.finish();
  CHECK(mixed.str() == "v\n----\n1\nword\n");
}

TEST_CASE("on a terminal the widest columns are cut until a row fits") {
  std::ostringstream out;
  TextTable table(out, {"id", "text"}, 20);
  table.add({{"12", true}, {std::string(100, 'x'), false}});
  table.finish();
  CHECK(out.str() == "id  text\n--  ----------------\n12  " + std::string(15, 'x') + "…\n");
}

TEST_CASE("rows beyond the sampled ones are printed as they come") {
  std::ostringstream out;
  TextTable table(out, {"n"}, 0);
  for (std::size_t row = 0; row < TextTable::kSampledRows; ++row) {
    CHECK(out.str().empty());
    table.add({{"1", true}});
  }
  CHECK(!out.str().empty());
  out.str("");
  table.add({{"longer than the column", false}});
  CHECK(out.str() == "longer than the column\n");
}

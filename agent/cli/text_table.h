// Rows in aligned columns, for people.
//
// The widths come from the first rows (kSampledRows of them are held back), so that any number of
// rows can pass with little memory. On a terminal the widest columns are narrowed until a row fits,
// and what is too long is cut.
//
// Thread: the caller's. Ownership: `out` must outlive it. Errors: those of `out`.
#pragma once

#include <ostream>
#include <string>
#include <vector>

namespace invlog::cli {

struct TableCell {
  std::string text;     // printable already
  bool number = false;  // a column of nothing but numbers is aligned to the right
};

class TextTable {
 public:
  static constexpr std::size_t kSampledRows = 1000;

  // `width`: the terminal's columns, 0 without one: nothing is cut.
  TextTable(std::ostream& out, std::vector<std::string> header, int width);

  void add(std::vector<TableCell> row);
  // Prints what is held back, and the header if there was no row.
  void finish();

 private:
  void lay_out();
  void print(const std::vector<TableCell>& row, bool header);

  std::ostream& out_;
  const std::vector<std::string> header_;
  const std::size_t width_;
  bool laid_out_ = false;
  std::vector<std::vector<TableCell>> held_back_;
  std::vector<std::size_t> widths_;
  std::vector<bool> right_;
};

}  // namespace invlog::cli

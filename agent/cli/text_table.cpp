#include "agent/cli/text_table.h"

#include <algorithm>

#include "agent/cli/display_text.h"

namespace invlog::cli {
namespace {

constexpr std::size_t kGap = 2;        // columns between two
constexpr std::size_t kNarrowest = 6;  // no column is cut below this

}  // namespace

TextTable::TextTable(std::ostream& out, std::vector<std::string> header, int width)
    : out_(out), header_(std::move(header)), width_(static_cast<std::size_t>(std::max(width, 0))) {}

void TextTable::add(std::vector<TableCell> row) {
  if (laid_out_) {
    print(row, false);
    return;
  }
  held_back_.push_back(std::move(row));
  if (held_back_.size() == kSampledRows) {
    lay_out();
  }
}

void TextTable::finish() {
  if (!laid_out_) {
    lay_out();
  }
}

void TextTable::lay_out() {
  laid_out_ = true;
  widths_.clear();
  right_.assign(header_.size(), false);
  for (std::size_t column = 0; column < header_.size(); ++column) {
    std::size_t widest = display_width(header_[column]);
    bool any = false;
    bool numbers = true;
    for (const auto& row : held_back_) {
      widest = std::max(widest, display_width(row[column].text));
      any = any || !row[column].text.empty();
      numbers = numbers && (row[column].text.empty() || row[column].number);
    }
    widths_.push_back(widest);
    right_[column] = any && numbers;
  }
  const auto total = [this] {
    std::size_t sum = kGap * (widths_.size() - std::min<std::size_t>(widths_.size(), 1));
    for (const std::size_t width : widths_) {
      sum += width;
    }
    return sum;
  };
  while (width_ > 0 && !widths_.empty() && total() > width_) {
    const auto widest = std::max_element(widths_.begin(), widths_.end());
    if (*widest <= kNarrowest) {
      break;
    }
    --*widest;
  }
  std::vector<TableCell> titles;
  for (const std::string& title : header_) {
    titles.push_back({title, false});
  }
  print(titles, true);
  std::vector<TableCell> rules;
  for (const std::size_t width : widths_) {
    rules.push_back({std::string(width, '-'), false});
  }
  print(rules, true);
  for (const auto& row : held_back_) {
    print(row, false);
  }
  held_back_.clear();
}

void TextTable::print(const std::vector<TableCell>& row, bool header) {
  std::string line;
  for (std::size_t column = 0; column < row.size(); ++column) {
    const std::string text =
        width_ > 0 ? cut_to_width(row[column].text, widths_[column]) : row[column].text;
    const std::size_t used = display_width(text);
    const std::size_t padding = widths_[column] > used ? widths_[column] - used : 0;
    const bool right = right_[column] && (header || row[column].number);
    if (column > 0) {
      line.append(kGap, ' ');
    }
    if (right) {
      line.append(padding, ' ');
    }
    line += text;
    if (!right && column + 1 < row.size()) {
      line.append(padding, ' ');
    }
  }
  line.erase(line.find_last_not_of(' ') + 1);
  out_ << line << '\n';
}

}  // namespace invlog::cli

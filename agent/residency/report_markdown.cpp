#include "agent/residency/report_markdown.h"

#include <algorithm>
#include <cctype>

#include "agent/cli/display_text.h"
#include "agent/residency/markup.h"
#include "agent/residency/report_document.h"

namespace invlog::residency {
namespace {

bool is_word(char character) {
  return std::isalnum(static_cast<unsigned char>(character)) != 0;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, cli::display_width(text)), ' ');
  return right ? space + text : text + space;
}

// Cells escaped and padded, so that the columns stand one below the other.
class MarkdownTable {
 public:
  explicit MarkdownTable(const Table& table) : table_(table) {
    std::vector<std::string> header;
    for (const Column& column : table.columns) {
      header.push_back(escaped_markdown(column.title));
    }
    add(std::move(header));
    for (const std::vector<Cell>& row : table.rows) {
      std::vector<std::string> cells;
      for (const Cell& cell : row) {
        cells.push_back(escaped_markdown(cell.text));
      }
      add(std::move(cells));
    }
  }

  std::string text() const {
    std::string text;
    for (std::size_t row = 0; row < rows_.size(); ++row) {
      for (std::size_t column = 0; column < widths_.size(); ++column) {
        text +=
            "| " + padded(rows_[row][column], widths_[column], table_.columns[column].number) + " ";
      }
      text += "|\n";
      text += row == 0 ? rule() : "";
    }
    return text;
  }

 private:
  void add(std::vector<std::string> cells) {
    constexpr std::size_t kLeastWidth = 3;
    widths_.resize(table_.columns.size(), kLeastWidth);
    for (std::size_t at = 0; at < cells.size(); ++at) {
      widths_[at] = std::max(widths_[at], cli::display_width(cells[at]));
    }
    rows_.push_back(std::move(cells));
  }

  std::string rule() const {
    std::string line;
    for (std::size_t column = 0; column < widths_.size(); ++column) {
      const bool number = table_.columns[column].number;
      line += "| " + std::string(widths_[column] - (number ? 1 : 0), '-') + (number ? ": " : " ");
    }
    return line + "|\n";
  }

  const Table& table_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::size_t> widths_;
};

struct MarkdownBlocks {
  std::string& text;

  void operator()(const Paragraph& paragraph) const {
    const std::string words = escaped_markdown(paragraph.text);
    text += paragraph.alarm ? "**Attention:** " + words + "\n\n" : words + "\n\n";
  }
  void operator()(const Facts& facts) const {
    for (const auto& [name, value] : facts.lines) {
      text += "- " + escaped_markdown(name) + ": **" + escaped_markdown(value.text) + "**\n";
    }
    text += '\n';
  }
  void operator()(const Table& table) const {
    text += escaped_markdown(table.caption) + ":\n\n" + MarkdownTable(table).text() + "\n";
  }
  void operator()(Picture) const {}
};

}  // namespace

std::string escaped_markdown(std::string_view text) {
  constexpr std::string_view kSpecial = "\\`*[]|~$!#";
  const std::string line = visible_line(text);
  std::string escaped;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char character = line[at];
    const bool inside_word =
        at > 0 && at + 1 < line.size() && is_word(line[at - 1]) && is_word(line[at + 1]);
    if (character == '<') {
      escaped += "&lt;";
    } else if (character == '>') {
      escaped += "&gt;";
    } else if (character == '&') {
      escaped += "&amp;";
    } else {
      // An underscore inside a word is no markup, and model ids are full of them.
      const bool special =
          kSpecial.find(character) != std::string_view::npos || (character == '_' && !inside_word);
      escaped += special ? "\\" : "";
      escaped += character;
    }
  }
  return escaped;
}

std::string report_markdown(const Report& report) {
  const Document document = report_document(report);
  std::string text = "# " + escaped_markdown(document.title) + "\n\n" +
                     escaped_markdown(document.subtitle) + "\n\n";
  for (const Section& section : document.sections) {
    text += "## " + escaped_markdown(section.title) + "\n\n";
    for (const Block& block : section.blocks) {
      std::visit(MarkdownBlocks{text}, block);
    }
  }
  text.pop_back();
  return text;
}

}  // namespace invlog::residency

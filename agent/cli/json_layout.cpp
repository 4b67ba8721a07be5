#include "agent/cli/json_layout.h"

#include <algorithm>

namespace invlog::cli {
namespace {

bool white_space(char byte) {
  return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

// The end of the string that begins at `begin`.
std::size_t string_end(std::string_view json, std::size_t begin) {
  std::size_t at = begin + 1;
  while (at < json.size() && json[at] != '"') {
    at += json[at] == '\\' ? 2 : 1;
  }
  return std::min(at + 1, json.size());
}

std::size_t skip_white_space(std::string_view json, std::size_t at) {
  while (at < json.size() && white_space(json[at])) {
    ++at;
  }
  return at;
}

class Layout {
 public:
  explicit Layout(bool indented) : indented_(indented) {}

  std::string of(std::string_view json) {
    out_.reserve(json.size() + json.size() / 4);
    for (std::size_t at = skip_white_space(json, 0); at < json.size();
         at = skip_white_space(json, at)) {
      at = token(json, at);
    }
    return std::move(out_);
  }

 private:
  // Appends the token at `at` and returns where it ends.
  std::size_t token(std::string_view json, std::size_t at) {
    const char byte = json[at];
    if (byte == '"') {
      const std::size_t end = string_end(json, at);
      out_ += json.substr(at, end - at);
      return end;
    }
    if (byte == '{' || byte == '[') {
      out_ += byte;
      const std::size_t next = skip_white_space(json, at + 1);
      if (next < json.size() && (json[next] == '}' || json[next] == ']')) {
        out_ += json[next];
        return next + 1;
      }
      ++depth_;
      new_line();
      return next;
    }
    if (byte == '}' || byte == ']') {
      depth_ -= depth_ > 0 ? 1 : 0;
      new_line();
    }
    out_ += byte;
    if (byte == ',') {
      new_line();
    } else if (byte == ':' && indented_) {
      out_ += ' ';
    }
    return at + 1;
  }

  void new_line() {
    if (indented_) {
      out_ += '\n';
      out_.append(2 * std::min(depth_, kDeepestIndent), ' ');
    }
  }

  static constexpr std::size_t kDeepestIndent = 100;  // deeper levels stay below each other
  const bool indented_;
  std::size_t depth_ = 0;
  std::string out_;
};

}  // namespace

std::string indented_json(std::string_view json) {
  return Layout(true).of(json);
}

std::string one_line_json(std::string_view json) {
  return Layout(false).of(json);
}

}  // namespace invlog::cli

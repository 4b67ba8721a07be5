// Where the values of a JSON text are: a flat list of its nodes in the text's order, so that parts
// of it can be replaced while every other byte stays.
//
// For texts that JsonText called valid (details, bodies with is_json). An array of nothing but
// numbers (an embedding) is one node. Memory: 28 bytes a node, at most kMostNodes of them.
//
// Thread: one at a time. Ownership: the text must outlive it, unchanged. Errors: a text that is not
// JSON, is over 4 GB, too deep or has too many values is refused; nothing is read out of bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::bedrock {

struct JsonNode {
  enum class Kind : std::uint8_t { object, array, numbers, string, number, literal };
  std::uint32_t begin = 0, end = 0;  // the value's bytes, quotes and brackets included
  std::uint32_t name_begin = 0,
                name_end = 0;  // its name's bytes without quotes, escapes as written
  std::uint32_t after = 0;     // index of the first node that is not below this one
  Kind kind = Kind::literal;
  bool named = false;     // a member of an object
  bool replaced = false;  // somebody replaces it, with all that is below it
};

class JsonTree {
 public:
  static constexpr std::size_t kMostNodes = 4'000'000;
  static constexpr int kMaximumDepth = 1000;
  using Kind = JsonNode::Kind;

  bool parse(std::string_view text);

  std::string_view text() const { return text_; }
  std::size_t size() const { return nodes_.size(); }  // node 0 is the whole text's value
  const JsonNode& operator[](std::size_t node) const { return nodes_[node]; }

  std::string_view raw(std::size_t node) const;
  // A string's bytes without its quotes, escapes as written.
  std::string_view content(std::size_t node) const;
  std::string unescaped(std::size_t node) const;  // of a string
  std::string name(std::size_t node) const;       // unescaped; "" for no member
  bool is_named(std::size_t node, std::string_view name) const;
  // The member of an object, 0 if there is none.
  std::size_t member(std::size_t object, std::string_view name) const;

  // Marks the node and all below it.
  void replace(std::size_t node);

  // Calls `visit(index)` for each member or element.
  template <typename Visit>
  void each_child(std::size_t node, Visit&& visit) const {
    if (nodes_[node].kind != Kind::object && nodes_[node].kind != Kind::array) {
      return;
    }
    for (std::size_t child = node + 1; child < nodes_[node].after; child = nodes_[child].after) {
      visit(child);
    }
  }

 private:
  bool read_value(std::size_t& at, int depth);
  bool read_members(std::size_t& at, int depth);
  bool read_elements(std::size_t& at, int depth);
  bool read_numbers(std::size_t& at);
  bool read_string(std::size_t& at) const;
  void skip_space(std::size_t& at) const;

  std::string_view text_;
  std::vector<JsonNode> nodes_;
};

}  // namespace invlog::bedrock

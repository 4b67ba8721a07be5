// A JSON path of [privacy] redact_paths: which values of a body are replaced whole. A small part of
// RFC 9535: $ then any of .name  ["name"]  [*]  [n]  ..name
//
// Thread: const; any. Errors: parse() says what is wrong with a path; select() throws TooManyEdits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/bedrock/json_tree.h"

namespace invlog::bedrock {

class JsonPath {
 public:
  static constexpr std::size_t kMostSteps = 60;

  static tl::expected<JsonPath, std::string> parse(std::string_view text);

  struct Selected {
    std::size_t node;
    // Of an array of numbers, which is one node: which of them; none: all of it.
    std::optional<std::size_t> number;
  };

  // Appends what it selects, but no nodes that are replaced already. Whoever selects each number of
  // an array selects the array. Whether it has that many numbers is not looked at.
  void select(const JsonTree& tree, std::vector<Selected>& selected) const;

 private:
  struct Step {
    enum class Kind { member, anywhere, element, any_element } kind;
    std::string name;
    std::size_t position = 0;
  };
  using Reached = std::uint64_t;  // bit n: the first n steps lead here

  static std::string read_step(std::string_view& rest, Step& step);
  void descend(const JsonTree& tree, std::size_t node, Reached reached,
               std::vector<Selected>& selected) const;
  Reached follow(const JsonTree& tree, std::size_t child, std::size_t position,
                 Reached reached) const;

  std::vector<Step> steps_;
};

}  // namespace invlog::bedrock

#include "agent/bedrock/stream_texts.h"

#include <algorithm>
#include <array>

namespace invlog::bedrock {
namespace {

// What tells texts of one stream apart: Anthropic's and OpenAI's content blocks, choices and calls.
constexpr std::array<std::string_view, 4> kDistinguishing = {"index", "output_index",
                                                             "content_index", "item_id"};

class Gatherer {
 public:
  explicit Gatherer(const JsonTree& tree) : tree_(tree) {}

  StreamTexts gather() {
    std::size_t position = 0;
    tree_.each_child(0, [&](std::size_t chunk) {
      // What is no object is no piece of anything: it gets a place of its own.
      place_ = tree_[chunk].kind == JsonTree::Kind::object ? "" : std::to_string(position);
      ++position;
      if (const std::size_t type = tree_.member(chunk, "type"); type != 0) {
        place_ += tree_.raw(type);
      }
      visit(chunk);
    });
    return std::move(texts_);
  }

 private:
  void visit(std::size_t node) {
    switch (tree_[node].kind) {
      case JsonTree::Kind::string:
        texts_[place_].push_back(node);
        break;
      case JsonTree::Kind::object:
        visit_members(node);
        break;
      case JsonTree::Kind::array:
        visit_elements(node);
        break;
      default:
        break;
    }
  }

  void visit_members(std::size_t node) {
    const std::size_t length = place_.size();
    tree_.each_child(node, [&](std::size_t child) {
      const bool distinguishing =
          std::any_of(kDistinguishing.begin(), kDistinguishing.end(),
                      [&](std::string_view name) { return tree_.is_named(child, name); });
      if (distinguishing && tree_[child].after == child + 1) {
        place_.append(" ").append(tree_.name(child)).append("=").append(tree_.raw(child));
      }
    });
    const std::size_t with_own = place_.size();
    tree_.each_child(node, [&](std::size_t child) {
      place_.append(".").append(tree_.name(child));
      visit(child);
      place_.resize(with_own);
    });
    place_.resize(length);
  }

  void visit_elements(std::size_t node) {
    const std::size_t length = place_.size();
    std::size_t position = 0;
    tree_.each_child(node, [&](std::size_t child) {
      const bool numbered = tree_.member(child, "index") != 0;
      place_.append("[").append(numbered ? "*" : std::to_string(position)).append("]");
      ++position;
      visit(child);
      place_.resize(length);
    });
  }

  const JsonTree& tree_;
  std::string place_;
  StreamTexts texts_;
};

}  // namespace

bool is_stored_stream(const JsonTree& tree) {
  return tree.size() > 1 && tree[0].kind == JsonTree::Kind::array;
}

StreamTexts gather_stream_texts(const JsonTree& tree) {
  return Gatherer(tree).gather();
}

}  // namespace invlog::bedrock

#include "agent/bedrock/stream_texts.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>

#include "agent/bedrock/edit_limits.h"

namespace invlog::bedrock {
namespace {

// What tells texts of one stream apart: Anthropic's, OpenAI's and Nova's content blocks, choices
// and calls.
constexpr std::array<std::string_view, 6> kDistinguishing = {
    "index", "output_index", "content_index", "item_id", "contentBlockIndex", "contentId"};

// A place is a number: what it is within, and the step from there. As a text it would hold every
// name above it, and a stream with one long name over many strings would need the product of both.
class Gatherer {
 public:
  explicit Gatherer(const JsonTree& tree) : tree_(tree) {}

  StreamTexts gather() {
    std::size_t position = 0;
    tree_.each_child(0, [&](std::size_t chunk) {
      // What is no object is no piece of anything: it gets a place of its own.
      const bool object = tree_[chunk].kind == JsonTree::Kind::object;
      const std::size_t type = tree_.member(chunk, "type");
      visit(chunk, step(kTop, (object ? "" : std::to_string(position)) +
                                  std::string(type != 0 ? tree_.raw(type) : "")));
      ++position;
    });
    return std::move(texts_);
  }

 private:
  using Place = std::size_t;
  static constexpr Place kTop = 0;

  Place step(Place from, std::string name) {
    if (places_.size() >= kMostEdits) {
      throw TooManyEdits();  // a place takes more memory than an edit
    }
    return places_.try_emplace({from, std::move(name)}, places_.size() + 1).first->second;
  }

  void visit(std::size_t node, Place place) {
    switch (tree_[node].kind) {
      case JsonTree::Kind::string:
        texts_.resize(std::max(texts_.size(), place + 1));
        texts_[place].push_back(node);
        break;
      case JsonTree::Kind::object:
        visit_members(node, place);
        break;
      case JsonTree::Kind::array:
        visit_elements(node, place);
        break;
      default:
        break;
    }
  }

  void visit_members(std::size_t node, Place place) {
    tree_.each_child(node, [&](std::size_t child) {
      const bool distinguishing =
          std::any_of(kDistinguishing.begin(), kDistinguishing.end(),
                      [&](std::string_view name) { return tree_.is_named(child, name); });
      if (distinguishing && tree_[child].after == child + 1) {
        place = step(place, " " + tree_.name(child) + "=" + std::string(tree_.raw(child)));
      }
    });
    tree_.each_child(
        node, [&](std::size_t child) { visit(child, step(place, "." + tree_.name(child))); });
  }

  void visit_elements(std::size_t node, Place place) {
    std::size_t position = 0;
    tree_.each_child(node, [&](std::size_t child) {
      const bool numbered = tree_.member(child, "index") != 0;
      visit(child, step(place, "[" + (numbered ? "*" : std::to_string(position)) + "]"));
      ++position;
    });
  }

  const JsonTree& tree_;
  std::map<std::pair<Place, std::string>, Place> places_;
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

// Bounds what [privacy] may cost. A few kilobytes, well compressed, are a body in which a rule
// matches millions of times, or in which millions of values are omitted, and each time takes many
// times the memory of the bytes that it is about. A body beyond these limits is omitted whole, as
// one that cannot be read.
//
// Thread: any. Errors: TooManyEdits; whoever has the body catches it.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <utility>
#include <vector>

namespace invlog::bedrock {

class TooManyEdits : public std::length_error {
 public:
  TooManyEdits() : std::length_error("more matches and omissions than a body may have") {}
};

// Of one body: an answer of 128,000 tokens may come in as many pieces, with two texts in each.
inline constexpr std::size_t kMostEdits = 300'000;
// By how much a body may grow beyond twice its size: an omission is longer than a short text.
inline constexpr std::size_t kMostGrowth = std::size_t{1} << 20;

// For whatever there is one of for each edit, or could be.
template <typename Element>
void add_limited(std::vector<Element>& list, Element element) {
  if (list.size() >= kMostEdits) {
    throw TooManyEdits();
  }
  list.push_back(std::move(element));
}

}  // namespace invlog::bedrock

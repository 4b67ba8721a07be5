#include "agent/bedrock/json_redactor.h"

#include <algorithm>
#include <string>

#include "agent/bedrock/edit_limits.h"
#include "agent/bedrock/stream_texts.h"

namespace invlog::bedrock {
namespace {

bool separates_numbers(char byte) {
  return byte == ',' || byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

// Where in the text number `position` of an array of numbers is; empty if it has fewer.
TextRange number_in(const JsonTree& tree, std::size_t node, std::size_t position) {
  const std::size_t behind = tree[node].end - 1;
  const std::string_view text = tree.text().substr(0, behind);
  std::size_t begin = tree[node].begin + 1;
  for (; position > 0; --position) {
    begin = std::min(text.find(',', begin), behind) + 1;
    if (begin > behind) {
      return {behind, behind};
    }
  }
  std::size_t end = std::min(text.find(',', begin), behind);
  while (begin < end && separates_numbers(text[begin])) {
    ++begin;
  }
  while (begin < end && separates_numbers(text[end - 1])) {
    --end;
  }
  return {begin, end};
}

// Spreads an edit of the parts' concatenation over them: the replacement goes where it begins.
void spread(const TextEdit& edit, const std::vector<std::size_t>& starts,
            const std::vector<std::size_t>& places, std::vector<TextEdit>& edits) {
  auto part = static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), edit.begin) -
                                       starts.begin() - 1);
  bool first = true;
  for (std::size_t at = edit.begin; at < edit.end; ++part) {
    const std::size_t end = std::min(edit.end, starts[part + 1]);
    if (end > at) {
      const std::size_t base = places[part] - starts[part];
      add_limited(edits, {base + at, base + end, first ? edit.replacement : std::string()});
      first = false;
      at = end;
    }
  }
}

}  // namespace

void JsonRedactor::redact_paths(JsonTree& tree, const std::vector<JsonPath>& paths,
                                std::vector<TextEdit>& edits, RuleCounts* counts) const {
  std::vector<JsonPath::Selected> selected;
  for (std::size_t path = 0; path < paths.size(); ++path) {
    selected.clear();
    paths[path].select(tree, selected);
    const std::string name = "path " + std::to_string(path + 1);
    std::size_t replaced = 0;
    for (const JsonPath::Selected& one : selected) {
      const TextRange range = one.number ? number_in(tree, one.node, *one.number)
                                         : TextRange{tree[one.node].begin, tree[one.node].end};
      if (range.begin == range.end) {
        continue;  // it has fewer numbers
      }
      add_limited(edits, {range.begin, range.end, "\"[redacted:" + name + "]\""});
      ++replaced;
      if (!one.number) {
        tree.replace(one.node);
      }
    }
    if (counts != nullptr && replaced != 0) {
      (*counts)[name] += replaced;
    }
  }
}

void JsonRedactor::redact_values(const JsonTree& tree, std::vector<TextEdit>& edits,
                                 RuleCounts* counts) const {
  if (texts_.rules().empty()) {
    return;
  }
  std::vector<bool> counted;
  if (is_stored_stream(tree)) {
    counted.resize(tree.size());
    redact_stream(tree, counted, edits, counts);
  }
  for (std::size_t node = 0; node < tree.size(); ++node) {
    if (tree[node].replaced) {
      continue;
    }
    RuleCounts* own = counted.empty() || !counted[node] ? counts : nullptr;
    switch (tree[node].kind) {
      case JsonTree::Kind::string:
        redact_string(tree, node, edits, own);
        break;
      case JsonTree::Kind::number:
      case JsonTree::Kind::numbers:
        redact_numbers(tree, node, edits, own);
        break;
      default:
        break;
    }
  }
}

void JsonRedactor::redact_stream(const JsonTree& tree, std::vector<bool>& counted,
                                 std::vector<TextEdit>& edits, RuleCounts* counts) const {
  for (const auto& parts : gather_stream_texts(tree)) {
    std::vector<std::size_t> open;
    std::copy_if(parts.begin(), parts.end(), std::back_inserter(open),
                 [&tree](std::size_t node) { return !tree[node].replaced; });
    if (redact_together(tree, open, edits, counts)) {
      for (const std::size_t node : open) {
        counted[node] = true;
      }
    }
  }
}

// False: they are no pieces of a text.
bool JsonRedactor::redact_together(const JsonTree& tree, const std::vector<std::size_t>& parts,
                                   std::vector<TextEdit>& edits, RuleCounts* counts) const {
  // A model's name or an id, the same in each chunk.
  const bool differ = std::any_of(parts.begin(), parts.end(), [&](std::size_t part) {
    return tree.content(part) != tree.content(parts.front());
  });
  if (parts.size() < 2 || !differ) {
    return false;
  }
  std::string whole;
  std::vector<std::size_t> starts, places;
  for (const std::size_t part : parts) {
    starts.push_back(whole.size());
    places.push_back(tree[part].begin + 1);
    whole += tree.content(part);
  }
  starts.push_back(whole.size());
  std::vector<TextEdit> together;
  texts_.find(whole, TextRedactor::Form::json_string, tree.name(parts.front()), together, counts);
  for (const TextEdit& edit : together) {
    spread(edit, starts, places, edits);
  }
  return true;
}

void JsonRedactor::redact_string(const JsonTree& tree, std::size_t node,
                                 std::vector<TextEdit>& edits, RuleCounts* counts) const {
  const std::size_t before = edits.size();
  const JsonNode& found = tree[node];
  const std::string_view name =
      tree.text().substr(found.name_begin, found.name_end - found.name_begin);
  texts_.find(tree.content(node), TextRedactor::Form::json_string, name, edits, counts);
  for (std::size_t edit = before; edit < edits.size(); ++edit) {
    edits[edit].begin += found.begin + 1;
    edits[edit].end += found.begin + 1;
  }
}

// A number in which a rule matches becomes a string.
void JsonRedactor::redact_numbers(const JsonTree& tree, std::size_t node,
                                  std::vector<TextEdit>& edits, RuleCounts* counts) const {
  const bool array = tree[node].kind == JsonTree::Kind::numbers;
  const std::size_t base = tree[node].begin + (array ? 1 : 0);
  const std::string_view text =
      tree.text().substr(base, tree[node].end - tree[node].begin - (array ? 2 : 0));
  std::vector<TextEdit> found;
  texts_.find(text, TextRedactor::Form::raw, {}, found, counts);
  for (TextEdit& edit : found) {
    while (edit.begin < edit.end && separates_numbers(text[edit.begin])) {
      ++edit.begin;
    }
    while (edit.begin < edit.end && separates_numbers(text[edit.end - 1])) {
      --edit.end;
    }
    if (edit.begin == edit.end) {
      continue;
    }
    while (edit.begin > 0 && !separates_numbers(text[edit.begin - 1])) {
      --edit.begin;
    }
    while (edit.end < text.size() && !separates_numbers(text[edit.end])) {
      ++edit.end;
    }
    add_limited(edits, {base + edit.begin, base + edit.end, "\"" + edit.replacement + "\""});
  }
}

}  // namespace invlog::bedrock

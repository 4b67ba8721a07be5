#include "agent/bedrock/json_path.h"

#include <charconv>

#include "agent/bedrock/edit_limits.h"

namespace invlog::bedrock {
namespace {

// A name without brackets: up to the next step.
std::string_view take_name(std::string_view& rest) {
  const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
  const std::string_view name = rest.substr(0, end);
  rest.remove_prefix(end);
  return name;
}

}  // namespace

// Takes one step off the front; what is wrong, or "".
std::string JsonPath::read_step(std::string_view& rest, Step& step) {
  if (rest.starts_with('.')) {
    step.kind = rest.starts_with("..") ? Step::Kind::anywhere : Step::Kind::member;
    rest.remove_prefix(step.kind == Step::Kind::anywhere ? 2 : 1);
    step.name = take_name(rest);
    const bool usable =
        !step.name.empty() && step.name.find_first_of("*]\"'?() ") == std::string::npos;
    return usable ? "" : "a name must follow the dot";
  }
  const std::size_t quoted = rest.starts_with("[\"") ? rest.find("\"]", 2) : std::string_view::npos;
  if (quoted != std::string_view::npos) {
    step.kind = Step::Kind::member;
    step.name = rest.substr(2, quoted - 2);
    rest.remove_prefix(quoted + 2);
    return "";
  }
  const std::size_t close = rest.find(']');
  if (!rest.starts_with('[') || close == std::string_view::npos) {
    return "expected .name, ..name, [\"name\"], [*] or [n]";
  }
  const std::string_view inner = rest.substr(1, close - 1);
  rest.remove_prefix(close + 1);
  if (inner == "*") {
    step.kind = Step::Kind::any_element;
    return "";
  }
  step.kind = Step::Kind::element;
  const auto read = std::from_chars(inner.data(), inner.data() + inner.size(), step.position);
  const bool whole = read.ec == std::errc{} && read.ptr == inner.data() + inner.size();
  return whole ? "" : "[" + std::string(inner) + "] is none of [\"name\"], [*], [n]";
}

tl::expected<JsonPath, std::string> JsonPath::parse(std::string_view text) {
  const auto problem = [text](const std::string& cause, std::size_t at) {
    return tl::unexpected("\"" + std::string(text) + "\" is no JSON path: " + cause +
                          " (at character " + std::to_string(at + 1) + ")");
  };
  if (!text.starts_with('$')) {
    return problem("it must begin with $", 0);
  }
  JsonPath path;
  std::string_view rest = text.substr(1);
  while (!rest.empty()) {
    const std::size_t at = text.size() - rest.size();
    Step step{};
    if (const std::string cause = read_step(rest, step); !cause.empty()) {
      return problem(cause, at);
    }
    path.steps_.push_back(std::move(step));
    if (path.steps_.size() > kMostSteps) {
      return problem("it has more than " + std::to_string(kMostSteps) + " steps", at);
    }
  }
  return path;
}

void JsonPath::select(const JsonTree& tree, std::vector<Selected>& selected) const {
  if (tree.size() == 0 || tree[0].replaced) {
    return;
  }
  if (steps_.empty()) {
    add_limited(selected, {0, std::nullopt});
    return;
  }
  descend(tree, 0, 1, selected);
}

JsonPath::Reached JsonPath::follow(const JsonTree& tree, std::size_t child, std::size_t position,
                                   Reached reached) const {
  Reached next = 0;
  for (std::size_t at = 0; at < steps_.size(); ++at) {
    if ((reached >> at & 1) == 0) {
      continue;
    }
    const Step& step = steps_[at];
    const bool named = tree[child].named;
    bool leads = false;
    switch (step.kind) {
      case Step::Kind::anywhere:
        next |= Reached{1} << at;
        [[fallthrough]];
      case Step::Kind::member:
        leads = named && tree.is_named(child, step.name);
        break;
      case Step::Kind::element:
        leads = !named && position == step.position;
        break;
      case Step::Kind::any_element:
        leads = !named;
    }
    next |= leads ? Reached{1} << (at + 1) : 0;
  }
  return next;
}

void JsonPath::descend(const JsonTree& tree, std::size_t node, Reached reached,
                       std::vector<Selected>& selected) const {
  if (tree[node].kind == JsonTree::Kind::numbers) {
    const Step& last = steps_.back();
    const bool arrived = (reached >> (steps_.size() - 1) & 1) != 0;
    if (arrived && last.kind == Step::Kind::any_element) {
      add_limited(selected, {node, std::nullopt});
    } else if (arrived && last.kind == Step::Kind::element) {
      add_limited(selected, {node, last.position});
    }
    return;
  }
  std::size_t position = 0;
  tree.each_child(node, [&](std::size_t child) {
    const Reached next = follow(tree, child, position++, reached);
    if (tree[child].replaced || next == 0) {
      return;
    }
    if ((next >> steps_.size() & 1) != 0) {
      add_limited(selected, {child, std::nullopt});
    } else {
      descend(tree, child, next, selected);
    }
  });
}

}  // namespace invlog::bedrock

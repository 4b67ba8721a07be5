#include "agent/bedrock/tool_arguments.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "agent/bedrock/stream_texts.h"

namespace invlog::bedrock {
namespace {

using Kind = JsonTree::Kind;

constexpr std::string_view kInput = "input", kArguments = "arguments";

std::string type_of(const JsonTree& tree, std::size_t object) {
  const std::size_t type = tree.member(object, "type");
  return type != 0 && tree[type].kind == Kind::string ? tree.unescaped(type) : "";
}

// The string of the object that is such a text or a piece of one, and how its member is named; 0:
// it has none. A user's own data may have an `arguments`, too.
std::pair<std::size_t, std::string_view> text_in(const JsonTree& tree, std::size_t object,
                                                 bool stream) {
  const auto string_member = [&](std::string_view name) {
    const std::size_t member = tree.member(object, name);
    return member != 0 && tree[member].kind == Kind::string ? member : 0;
  };
  if (const std::size_t text = string_member(kArguments); text != 0) {
    const std::string type = type_of(tree, object);
    const bool of_call = tree.is_named(object, "function") ||
                         tree.is_named(object, "function_call") || type == "function_call" ||
                         type == "mcp_call" || type == "mcp_approval_request" ||
                         type.starts_with("response.");
    return {of_call ? text : 0, kArguments};
  }
  if (!stream) {
    return {0, ""};
  }
  if (const std::size_t piece = string_member("partial_json"); piece != 0) {
    return {piece, kInput};
  }
  if (const std::size_t piece = string_member("delta"); piece != 0) {
    return {type_of(tree, object).ends_with("arguments.delta") ? piece : 0, kArguments};
  }
  if (!tree.is_named(object, "toolUse")) {
    return {0, ""};
  }
  // Nova Sonic's is whole, and has another name.
  const std::size_t piece = string_member(kInput);
  return {piece != 0 || tree.member(object, "toolName") == 0 ? piece : string_member("content"),
          kInput};
}

}  // namespace

std::vector<ToolArguments> find_tool_arguments(const JsonTree& tree) {
  const bool stream = is_stored_stream(tree);
  std::vector<ToolArguments> found;
  std::unordered_map<std::size_t, std::string_view> names;  // by piece
  for (std::size_t node = 0; node < tree.size(); ++node) {
    if (tree[node].kind != Kind::object) {
      continue;
    }
    const auto [text, name] = text_in(tree, node, stream);
    if (text != 0 && !stream) {
      found.push_back({name, {text}});
    } else if (text != 0) {
      names.emplace(text, name);
    }
  }
  if (names.empty()) {
    return found;
  }
  for (std::vector<std::size_t>& parts : gather_stream_texts(tree)) {
    const auto piece = std::find_if(parts.begin(), parts.end(), [&names](std::size_t part) {
      return names.find(part) != names.end();
    });
    if (piece != parts.end()) {
      found.push_back({names.at(*piece), std::move(parts)});
    }
  }
  return found;
}

}  // namespace invlog::bedrock

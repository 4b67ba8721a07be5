#include "exporters/stored_plan.h"

#include <simdjson.h>

#include "storage/json_writer.h"

namespace invlog::exporters {
namespace {

std::string beginning_for(std::string_view target) {
  std::string text = "{";
  storage::append_json_member(text, "target", target);
  storage::append_json_name(text, "batch");
  return text;
}

}  // namespace

std::string stored_plan(std::string_view target, std::string_view plan) {
  return beginning_for(target).append(plan).append("}");
}

std::optional<StoredPlan> read_stored_plan(std::string_view stored) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  std::string_view target;
  if (parser.parse(stored.data(), stored.size()).get_object().get(object) != simdjson::SUCCESS ||
      object["target"].get_string().get(target) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  const std::string beginning = beginning_for(target);
  if (!stored.starts_with(beginning) || stored.size() < beginning.size() + 3) {
    return std::nullopt;
  }
  stored.remove_prefix(beginning.size());
  stored.remove_suffix(1);
  return StoredPlan{std::string(target), std::string(stored)};
}

}  // namespace invlog::exporters

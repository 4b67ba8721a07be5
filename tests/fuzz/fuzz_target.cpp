// Request targets, as clients send them: the first line is the method, the rest the target.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/bedrock/operation.h"

namespace {

// Percent-decoding only shortens; bytes that are no UTF-8 become three each. It is stored as text.
bool is_good(std::string_view model, std::string_view target) {
  return model.size() <= 3 * target.size() && simdjson::validate_utf8(model.data(), model.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view method = line == std::string_view::npos ? "POST" : input.substr(0, line);
  const std::string_view target = line == std::string_view::npos ? input : input.substr(line + 1);
  const auto parsed = invlog::bedrock::parse_target(method, target);
  if (parsed) {
    // An operation always has its name.
    if (!is_good(parsed->model_id, target) ||
        invlog::bedrock::operation_name(parsed->operation).empty()) {
      std::abort();
    }
  }
  const auto model = invlog::bedrock::model_in_target(target);
  if (model && (model->empty() || !is_good(*model, target))) {
    std::abort();
  }
  return 0;
}

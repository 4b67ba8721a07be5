// Request targets, as clients send them: the first line is the method, the rest the target.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "agent/bedrock/operation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = input.find('\n');
  const std::string_view method = line == std::string_view::npos ? "POST" : input.substr(0, line);
  const std::string_view target = line == std::string_view::npos ? input : input.substr(line + 1);
  const auto parsed = invlog::bedrock::parse_target(method, target);
  if (parsed) {
    // Percent-decoding only shortens, and an operation always has its name.
    if (parsed->model_id.size() > target.size() ||
        invlog::bedrock::operation_name(parsed->operation).empty()) {
      std::abort();
    }
  }
  const auto model = invlog::bedrock::model_in_target(target);
  if (model && (model->empty() || model->size() > target.size())) {
    std::abort();
  }
  return 0;
}

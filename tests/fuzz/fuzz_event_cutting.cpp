// Cutting JSON to a number of bytes: the input is the budget in two bytes, then the text. Whatever
// the text is, the result fits; if the text is JSON so is the result, and it is the text itself if
// that fits.
#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/cloudwatch_logs/event_cutting.h"

namespace {

bool is_json(const std::string& text) {
  simdjson::dom::parser parser;
  return parser.parse(text).error() == simdjson::SUCCESS;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) {
    return 0;
  }
  const std::size_t budget = static_cast<std::size_t>(data[0]) << 8 | data[1];
  const std::string text(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::string cut = invlog::exporters::cut_json(text, budget);
  if (cut.size() > budget) {
    std::abort();
  }
  if (!is_json(text)) {
    return 0;
  }
  if (budget >= 4 ? !is_json(cut) : !cut.empty() && !is_json(cut)) {
    std::abort();
  }
  if (budget >= text.size() && text.find(cut) == std::string::npos) {
    std::abort();
  }
  return 0;
}

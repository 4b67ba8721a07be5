#include "agent/residency/resource_name.h"

namespace invlog::residency {

std::optional<ResourceName> parse_resource_name(std::string_view text) {
  if (!text.starts_with("arn:")) {
    return std::nullopt;
  }
  text.remove_prefix(4);
  std::string_view fields[4];  // partition, service, region, account
  for (std::string_view& field : fields) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos) {
      return std::nullopt;
    }
    field = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos || slash + 1 == text.size()) {
    return std::nullopt;
  }
  return ResourceName{fields[1], fields[2], fields[3], text.substr(0, slash),
                      text.substr(slash + 1)};
}

}  // namespace invlog::residency

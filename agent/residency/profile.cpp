#include "agent/residency/profile.h"

namespace invlog::residency {

std::string_view to_string(Scope scope) {
  switch (scope) {
    case Scope::unknown:
      return "";
    case Scope::in_region:
      return "in-region";
    case Scope::geographic:
      return "geographic";
    case Scope::global:
      return "global";
  }
  return "";
}

std::string destinations_text(const Profile& profile) {
  if (profile.scope == Scope::global) {
    return "*";
  }
  std::string text;
  for (const std::string& region : profile.destinations) {
    text.append(text.empty() ? "" : ",").append(region);
  }
  return text;
}

}  // namespace invlog::residency

#include "agent/cli/program_profile.h"

#include "agent/cli/program_environment.h"

namespace invlog::cli {
namespace {

std::string name_of_profile(const aws::Environment& environment) {
  for (const char* variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    if (std::string name = aws::value_of(environment, variable); !name.empty())
      return name;
  }
  return "default";
}

}  // namespace

ProgramProfile program_profile(const aws::Environment& environment) {
  const auto files = aws::ProfileFiles::read(aws::profile_paths(environment));
  if (!files)
    return {true, true, std::nullopt};
  const std::string name = name_of_profile(environment);
  ProgramProfile profile;
  profile.says_region = files->find(name, "region").has_value();
  const auto ignored = files->find(name, "ignore_configured_endpoint_urls");
  profile.ignores_endpoints = ignored && says_true(ignored->value);
  const std::string decided = aws::value_of(environment, kIgnoreEndpoints);
  if (!(decided.empty() ? profile.ignores_endpoints : says_true(decided)))
    profile.endpoint = files->find(name, "endpoint_url");
  return profile;
}

}  // namespace invlog::cli

// What AWS's shared files say for the profile that a program takes, as far as it decides whether
// the program's calls come to the agent. Source: AWS SDKs and Tools Reference Guide,
// "Service-specific endpoints".
//
// A value; program_profile() reads the files once. Any thread. Errors: none; files that cannot be
// read might say anything.
#pragma once

#include <optional>

#include "exporters/aws/profile_files.h"

namespace invlog::cli {

struct ProgramProfile {
  bool says_region = false;
  bool ignores_endpoints = false;  // that the environment names, unless it says something else
  std::optional<aws::ProfileFiles::Setting> endpoint;  // for all services, if it is heeded
};

// Of the profile that `environment` names, else "default".
ProgramProfile program_profile(const aws::Environment& environment);

}  // namespace invlog::cli

// `invlog privacy test`: what would be kept of a body under the configuration, and of the request
// metadata in it, and which rules matched how often.
//
// Reads one file, or the input ("-"); changes nothing. Errors: exit code 1 if it cannot be read, 2
// for a configuration that is refused.
#pragma once

#include <istream>
#include <optional>
#include <ostream>
#include <string>

#include "exporters/aws/credentials.h"

namespace invlog::cli {

struct PrivacyTestOptions {
  std::optional<std::string> config_file;
  std::string file = "-";
  bool json = false;
  aws::Environment environment;
};

int run_privacy_test(const PrivacyTestOptions& options, std::istream& in, std::ostream& out,
                     std::ostream& err);

}  // namespace invlog::cli

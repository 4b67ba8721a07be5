// `invlog check-config` and `invlog config --effective`: what is wrong with a configuration, and
// what it comes to. Both only read files; neither asks the network or writes anything, so that a
// service manager can run the first before each start.
#pragma once

#include <ostream>

#include "agent/config/config_loader.h"

namespace invlog::cli {

struct ConfigOptions {
  // Nobody is asked for the instance's Region: where nothing else says the Region, what depends on
  // it is left out.
  config::ConfigSources sources;
  bool json = false;
};

// The files that were read go to `out`, each problem and each warning to `err`. With `json` all of
// it to `out`: {"valid":true,"region":"eu-central-1" or null,"files":[...],"problems":[...],
// "warnings":[...]}. Exit code 0, or 2 if there is a problem.
int run_check_config(const ConfigOptions& options, std::ostream& out, std::ostream& err);

// TOML with a comment behind each value, or JSON as config/effective_config.h has it. Exit code 0,
// or 2 if there is a problem.
int run_config_effective(const ConfigOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli

// What run_agent() throws for a configuration that only the start shows to be unusable: the agent
// would end so however often it is started. Other errors may pass.
#pragma once

#include <stdexcept>

namespace invlog::config {

struct UnusableConfiguration : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace invlog::config

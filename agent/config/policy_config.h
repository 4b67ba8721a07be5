// [policy], after defaults and checks: which calls may leave the host. Plain values; part of
// AgentConfig. Without a [policy] table every call is allowed.
#pragma once

#include <string>
#include <vector>

namespace invlog::config {

struct PolicyConfig {
  bool given = false;  // there is a [policy]
};

}  // namespace invlog::config

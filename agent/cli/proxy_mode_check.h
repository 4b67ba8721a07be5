// What `invlog doctor` says of proxy mode: whether it is on, whether the certificate authority can
// be used and for which names, and whether what programs are given to trust is what the system
// trusts.
//
// Thread: the caller's; reads files. Errors: findings.
#pragma once

#include <chrono>

#include "agent/cli/diagnosis.h"
#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

void check_proxy_mode(const config::AgentConfig& configuration, const aws::Environment& environment,
                      std::chrono::system_clock::time_point now, Diagnosis& diagnosis);

}  // namespace invlog::cli

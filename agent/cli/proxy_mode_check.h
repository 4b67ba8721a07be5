// What `invlog doctor` says of proxy mode: whether it is on, whether the certificate authority can
// be used and for which names, and whether what programs are given to trust is what the system
// trusts; and whether the agent that runs knows of it.
//
// Thread: the caller's; reads files. Errors: findings.
#pragma once

#include <chrono>

#include "agent/cli/agent_status.h"
#include "agent/cli/diagnosis.h"
#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

void check_proxy_mode(const config::AgentConfig& configuration, const AgentStatus& agent,
                      const aws::Environment& environment,
                      std::chrono::system_clock::time_point now, Diagnosis& diagnosis);

}  // namespace invlog::cli

// The chain that the agent and every command use. Source: facts/aws-delivery.md §6.1.
//
// In order: the environment's keys, systemd's credentials directory, the profile (AWS_PROFILE or
// [default]), a web identity by the environment, the container's agent, IMDS. A profile that
// configuration names (ChainOptions::profile) is used instead of the environment's keys, and
// nothing is asked after it. The first link that has credentials, or should have and cannot,
// decides.
//
// Threads: any. What costs (a process, a call) is cached and asked by one thread at a time
// (cached_credentials.h). A host without any credentials waits once, for at most a second or so,
// and IMDS is not asked again for a minute. Errors: results, as in credentials.h.
#pragma once

#include <memory>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"

namespace invlog::aws {

std::unique_ptr<CredentialsProvider> default_chain(const ChainOptions& options);

}  // namespace invlog::aws

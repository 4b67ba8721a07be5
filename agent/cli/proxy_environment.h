// What a program needs in its environment to call Bedrock through the agent's proxy mode, which
// leaves it its own signature: the proxy, and trust in the local certificate authority. Sources:
// AWS SDKs and Tools Reference Guide, "HTTP proxies" and AWS_CA_BUNDLE; Node.js,
// NODE_EXTRA_CA_CERTS and NODE_USE_ENV_PROXY; openssl-env(7), SSL_CERT_FILE; requests,
// REQUESTS_CA_BUNDLE.
//
// Values; proxy_environment_problems() reads the certificate files that variables name. Any thread.
// Errors: none.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/cli/program_environment.h"
#include "exporters/aws/profile_files.h"

namespace invlog::cli {

// A proxy that is there is replaced: the agent itself reaches the others through it. So are the
// files that say whom to trust. An endpoint over plain HTTP, as endpoint mode sets it, must go: a
// call of it would not come to the proxy.
ProgramVariables proxy_variables(const ProgramNeeds& needs, const aws::Environment& present);

// What in `present` leads programs past the proxy, or is lost by what is set; a line each.
// `profile_endpoint`: what a program's profile names for all services.
std::vector<std::string> proxy_environment_problems(
    const ProxyAccess& proxy, const aws::Environment& present,
    const std::optional<aws::ProfileFiles::Setting>& profile_endpoint = std::nullopt);

}  // namespace invlog::cli

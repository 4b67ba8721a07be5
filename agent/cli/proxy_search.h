// Finds out whether programs of this host are to call Bedrock by proxy mode, and what they need for
// it: where the agent listens for that, and the files of its certificate authority.
//
// Reads files; changes nothing. Thread: any. Errors: results, one line that says what to do.
#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "agent/cli/agent_status.h"
#include "agent/cli/program_environment.h"
#include "agent/config/agent_config.h"

namespace invlog::cli {

enum class CallMode {
  automatic,  // proxy mode if there is a certificate authority and [proxy] listens
  endpoint,
  proxy
};

struct ProxySearch {
  std::optional<ProxyAccess> proxy;  // none: endpoint mode
  std::string warning;               // "" none
};

// For an authority that is there and a `listen` below [proxy]: "" unless an agent runs that took up
// neither, since it was started before.
std::string unheeded_authority(const AgentStatus& status);

// `listen`: where the user says that the agent listens in proxy mode.
tl::expected<ProxySearch, std::string> find_proxy(CallMode mode,
                                                  const config::AgentConfig& configuration,
                                                  const AgentStatus& status,
                                                  const std::optional<std::string>& listen);

}  // namespace invlog::cli

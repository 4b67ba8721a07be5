// The daemon: wires store, credentials, listeners and upstream together and runs until SIGTERM or
// SIGINT.
//
// Thread: call once, from main. Prints one line on stdout when it is ready. Errors: throws
// std::runtime_error with one clear line for what cannot work (address in use, store of another
// Region); config::UnusableConfiguration of them is for the user to mend.
#pragma once

#include "agent/config/agent_config.h"
#include "agent/config/config_reloader.h"

namespace invlog {

// Returns the process's exit code.
// `reloader`: reads the configuration again when SIGHUP comes.
int run_agent(const config::AgentConfig& configuration, config::ConfigReloader& reloader);

}  // namespace invlog

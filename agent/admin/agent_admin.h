// The [admin] listener of a running agent: what its server tells of loop, writer and configuration.
//
// Thread: as AdminServer. Ownership: loop, writer and configuration must outlive what is returned.
// Errors: as AdminServer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/admin/admin_server.h"
#include "agent/capture/agent_loop.h"
#include "agent/config/agent_config.h"
#include "storage/writer.h"

namespace invlog::admin {

// Why an agent should be sent no calls, each reason a line without its end.
// `credentials_problem`: "" if calls can be signed, or need not be.
std::vector<std::string> reasons_not_ready(bool stopping, const storage::WriterStatus& writer,
                                           const std::string& credentials_problem);

// Null if [admin] names no address. Says in the log where it listens, and ends with the loop.
std::unique_ptr<AdminServer> start_admin(const config::AgentConfig& configuration,
                                         capture::AgentLoop& loop, const storage::Writer& writer);

}  // namespace invlog::admin

// The [admin] listener of a running agent: what its server tells of loop, writer and configuration.
//
// Thread: as AdminServer. Ownership: loop, writer and configuration must outlive it. Errors: as
// AdminServer.
#pragma once

#include <memory>
#include <string>
#include <utility>
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

class AgentAdmin {
 public:
  // Says in the log where it listens, and ends with the loop; nothing of it if [admin] names no
  // address.
  AgentAdmin(const config::AgentConfig& configuration, capture::AgentLoop& loop,
             const storage::Writer& writer);

  // Tells of these destinations and this max_size from now on; on the I/O thread.
  void change(const config::AgentConfig& configuration);
  // Why the credentials that sign should not be used, although they can be, "" nothing; on the I/O
  // thread.
  void set_account_problem(std::string problem) { account_problem_ = std::move(problem); }
  // After the loop: closes the store that it reads.
  void close() { server_.reset(); }

 private:
  AgentCounts counts() const;

  const config::AgentConfig& configuration_;  // as it was at the start
  capture::AgentLoop& loop_;
  const storage::Writer& writer_;
  std::vector<std::string> destinations_;
  std::uint64_t store_bytes_limit_ = 0;
  std::string account_problem_;
  std::unique_ptr<AdminServer> server_;  // the first to go: it asks the rest
};

}  // namespace invlog::admin

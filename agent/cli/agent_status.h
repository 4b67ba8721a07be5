// What a running agent says of itself in <state_dir>/status.json, and whether it still runs.
//
// A value, read once. Thread: any. Errors: a file that is absent, damaged or of a dead process is
// an ordinary outcome.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace invlog::cli {

struct AgentStatus {
  bool known = false;    // there is a file that could be read
  bool running = false;  // and its process lives
  std::string json;      // the file's text, one JSON object on one line, "" if unknown
  std::string problem;   // why it could not be read, "" if it was or is absent
  std::int64_t pid = 0;
  std::string version, region, listen, started_at;
  std::vector<std::string> listeners;  // `listen` and all others where applications arrive
  std::string proxy_listen;            // where proxy mode listens, "" it is off
  std::int64_t calls = 0, recorded = 0, passed_through = 0, denied = 0, policy_denied = 0,
               access_denied = 0, flagged = 0, dropped = 0, upstream_errors = 0,
               connections_refused = 0, slow_clients_cut = 0, intercepted_connections = 0,
               tunnels = 0, tunnels_flagged = 0, proxy_refused = 0, proxy_tls_failed = 0;
  std::int64_t queued_records = 0, queued_bytes = 0;
  bool storage_failing = false;
  std::string storage_error;
  std::vector<std::string> last_errors;
};

// `is_invlog(pid)`: whether this process lives and is invlog; process_is_invlog() by default.
AgentStatus read_agent_status(const std::string& state_dir,
                              const std::function<bool(std::int64_t pid)>& is_invlog);

// By /proc. A process whose name may not be read, but which lives, counts.
bool process_is_invlog(std::int64_t pid);

}  // namespace invlog::cli

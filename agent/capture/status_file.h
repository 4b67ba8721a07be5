// status.json in the state directory: what `invlog status` shows of a running agent.
//
// Pure functions over files; any thread. The file is replaced atomically (written beside, then
// renamed), so that a reader sees a whole one. Errors: a result; a status that cannot be written is
// no reason to stop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/capture/statistics.h"
#include "storage/writer.h"

namespace invlog::capture {

struct AgentFacts {
  std::int64_t pid = 0;
  std::string version, region, listen, proxy, upstream;
  std::vector<std::string> listeners;  // `listen` and all others where applications arrive
  std::string started_at;              // ISO 8601 UTC
};

std::string status_json(const AgentFacts& agent, const Statistics& statistics,
                        const storage::WriterStatus& store);
// Of the agent that wrote the file, how many dropped records no event row of its store tells of: it
// ended while its store took nothing. None: 0, also where there is no such file.
struct UntoldDrops {
  std::string region;  // whose store they are missing from
  std::uint64_t records = 0;
};
UntoldDrops read_untold_drops(const std::string& path);
// "" or what went wrong. Where nothing can be written beside it (a full disk), a file that is there
// is overwritten in place, which needs no room.
std::string replace_file(const std::string& path, const std::string& content);

}  // namespace invlog::capture

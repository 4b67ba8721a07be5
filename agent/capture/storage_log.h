// Says in the log when the store takes no records: at once, once a minute while that lasts, with
// how many records were lost by it, and when it takes them again; and at the agent's end what was
// lost since. Also when old records cannot be taken away, and, once an hour, how many went by age.
//
// Thread: any one. Errors: none.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "agent/capture/rare_warning.h"
#include "storage/writer.h"

namespace invlog::capture {

class StorageLog {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void look(const storage::WriterStatus& store, Time now);
  // After the writer's last commit. `status_problem`: why status.json, from which the next start
  // takes what no event row tells, could not be written; "" it was.
  void end(const storage::WriterStatus& store, const std::string& status_problem) const;

 private:
  void begins(const storage::WriterStatus& store, Time now);

  bool failing_ = false;
  Time since_, said_;
  std::uint64_t dropped_before_ = 0;
  std::string retention_error_;
  RareWarning retention_;
  std::uint64_t aged_told_ = 0;
  std::optional<Time> aged_said_;
};

}  // namespace invlog::capture

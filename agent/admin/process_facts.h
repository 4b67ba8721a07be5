// What Prometheus's own client libraries say of their process, from /proc.
//
// Thread: any. Errors: what cannot be read is 0.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::admin {

struct ProcessFacts {
  double cpu_seconds = 0;  // user and system
  double start_time = 0;   // Unix time, seconds
  std::uint64_t resident_bytes = 0, virtual_bytes = 0;
  std::uint64_t open_files = 0, open_files_limit = 0;
};

// `directory`: a process's, "/proc/self" by default.
ProcessFacts read_process_facts(const std::string& directory = "/proc/self");

}  // namespace invlog::admin

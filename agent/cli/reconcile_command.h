// `invlog reconcile`: compares the store with CloudTrail, writes what it finds into the store, and
// says what is not as it should be.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/delivery_access.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

// For objects that are larger than other answers.
std::unique_ptr<aws::HttpClient> make_trail_http_client(const config::AwsConfig& configuration,
                                                        const aws::Environment& environment,
                                                        const std::atomic<bool>* cancelled);

struct ReconcileOptions {
  StoreOptions store;
  std::string cloudtrail;  // a file, a folder, "s3://bucket/prefix", "lookup"
  std::optional<std::int64_t> since_us, until_us;  // Unix time in µs; until is exclusive
  bool json = false;
  bool all = false;             // whole lists
  bool fail_on_unseen = false;  // exit code 1 for a call that the agent never saw, too
  int terminal_width = 0;       // of `out`
  int progress_width = 0;       // of `err`
  DeliveryWorld world;          // whose credentials are used
  std::function<std::unique_ptr<aws::HttpClient>(const config::AwsConfig&, const aws::Environment&,
                                                 const std::atomic<bool>* cancelled)>
      make_http_client = make_trail_http_client;
  std::function<std::int64_t()> now_us;                  // Unix µs; empty: the system's
  std::function<void(std::chrono::milliseconds)> sleep;  // empty: really
};

// Exit code 1 if a call was processed outside the destinations of its record, or nothing could be
// read.
int run_reconcile(const ReconcileOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli

// `invlog doctor`: looks at everything that the agent will need, and says what is wrong and what to
// do: store, credentials and who they are, the clock, the upstream, proxy mode's certificates, and
// each destination's Region and permissions.
//
// It writes what AWS's own service writes when it checks a destination (a marker object, one log
// line), unless told not to. Nothing is billed as a model's work: Bedrock is asked for a model that
// does not exist.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "agent/cli/agent_status.h"
#include "agent/cli/delivery_access.h"
#include "agent/cli/store_access.h"
#include "agent/service/service_files.h"
#include "exporters/aws/service_client.h"

namespace invlog::cli {

// Bytes that an unprivileged process may still write below a directory; none if it cannot be told.
std::optional<std::uint64_t> free_space(const std::string& directory);

struct DoctorOptions {
  StoreOptions store;
  bool json = false;
  bool write = true;  // --no-write: destinations are only proven, nothing is written there
  DeliveryWorld world;
  aws::SystemClock clock = std::chrono::system_clock::now;
  std::function<std::optional<std::uint64_t>(const std::string&)> free_space = cli::free_space;
  std::function<bool(std::int64_t pid)> is_invlog = process_is_invlog;
  service::ServiceFiles service_files;
};

// Exit code 1 if anything failed, 2 for a configuration that cannot be used.
int run_doctor(const DoctorOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli

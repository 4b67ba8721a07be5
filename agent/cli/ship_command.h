// `invlog ship --once`: delivers what is in the store to each configured destination, now, and
// ends.
//
// Destinations are drained side by side, each on its own thread, so that one that is away does not
// hold up the other. A running agent may deliver at the same time: they take turns, batch by batch.
// Where every destination that is not through has had no success for so long that it is given up,
// attempts under way are cancelled: one alone is not, since credentials and the flag are shared.
// SIGINT and SIGTERM let the attempts under way finish; a second one cancels them. What is not
// confirmed is sent again the next time.
#pragma once

#include <chrono>
#include <ostream>
#include <string>

#include "agent/cli/delivery_access.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

struct ShipOptions {
  StoreOptions store;
  std::string destination;                     // "s3", "cloudwatch_logs", "" every configured one
  std::chrono::milliseconds give_up_after{0};  // without any success, 0: never
  bool json = false;
  int progress_width = 0;  // of `err`
  DeliveryWorld world;
};

// Exit code 1 if a destination has not got everything that it takes (what it refused is a dead
// letter, and no failure), 2 if none is configured. Dead letters to be retried whose destination is
// not configured are told on `err`, unless one destination was asked for; they are no failure.
int run_ship(const ShipOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli

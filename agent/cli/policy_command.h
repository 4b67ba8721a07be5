// `invlog policy`: what the configured policy says of a call, and its rules in the order in which
// they are asked. Both only read.
#pragma once

#include <ostream>
#include <string>

#include "agent/cli/store_access.h"
#include "exporters/aws/credentials.h"

namespace invlog::cli {

struct PolicyTestOptions {
  StoreOptions store;
  aws::Environment environment = aws::process_environment();
  std::string model;   // as an application would send it
  std::string caller;  // Unix user name, "" unknown
  bool json = false;
};
// Exit code 0 for a call that would be allowed or flagged, 1 for one that would be denied.
int run_policy_test(const PolicyTestOptions& options, std::ostream& out, std::ostream& err);

struct PolicyShowOptions {
  StoreOptions store;
  aws::Environment environment = aws::process_environment();
  bool json = false;
  int terminal_width = 0;
};
int run_policy_show(const PolicyShowOptions& options, std::ostream& out, std::ostream& err);

}  // namespace invlog::cli

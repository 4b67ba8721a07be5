// `invlog profiles`: what is known of inference profiles, where they send calls from this source
// Region, and what an id means.
//
// list and show only read; refresh asks the service now, as a running agent does once a day, and
// keeps the answer in the store. Thread: the caller's.
#pragma once

#include <ostream>
#include <string>

#include "agent/cli/delivery_access.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {

struct ProfilesListOptions {
  StoreOptions store;
  std::string scope;         // "in-region", "geographic", "global"; "" all
  bool application = false;  // only application profiles
  bool json = false;         // an object per line
  int terminal_width = 0;
};
int run_profiles_list(const ProfilesListOptions& options, std::ostream& out, std::ostream& err);

struct ProfilesShowOptions {
  StoreOptions store;
  std::string id;  // a profile's id, or any model id or ARN
  bool json = false;
};
// Exit code 1 if nobody can tell where a call of it is processed.
int run_profiles_show(const ProfilesShowOptions& options, std::ostream& out, std::ostream& err);

struct ProfilesRefreshOptions {
  StoreOptions store;
  bool json = false;  // an object per line
  DeliveryWorld world;
};
// Prints what is new or different. Exit code 1 if a geographic profile has changed, or if the
// service did not tell everything; 2 if it may not be asked.
int run_profiles_refresh(const ProfilesRefreshOptions& options, std::ostream& out,
                         std::ostream& err);

}  // namespace invlog::cli

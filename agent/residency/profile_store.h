// The store's table `inference_profile`: what the service said of profiles, kept over restarts and
// for the commands; and the alarm when it says something else than before.
//
// AWS promises that the destinations of a geographic profile never change. If they do, calls go
// where nobody has agreed to: an event of kind "profile-changed", with the profile, its
// destinations before and after, and where those before were known from.
//
// Threads: one at a time; several processes may have one each. Errors: open() returns why it could
// not; the rest throws StoreError.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "agent/residency/profile.h"
#include "storage/sqlite_api.h"
#include "storage/store_file.h"

namespace invlog::residency {

// What a save() found to be new or different.
struct ProfileChange {
  std::string id;
  bool is_new = false;  // and not in the built-in table either
  bool alarm = false;   // what was promised not to change has changed
  std::string before;   // destinations as text, "" if it is new
  std::string after;
  Profile::Origin known_from = Profile::Origin::service;  // what `before` is
};

class ProfileStore {
 public:
  // Beside the writer, by a connection of its own. `clock`: now, Unix µs; empty: the system's.
  static tl::expected<std::unique_ptr<ProfileStore>, std::string> open(
      const std::string& store_path, std::function<std::int64_t()> clock = {});

  // What the table has, through any connection to a store; none if it has no such table yet. Rows
  // that nobody can have written are left out.
  static std::vector<Profile> load(sqlite3* connection);
  std::vector<Profile> load() { return load(connection_.get()); }

  // Writes what the service said, and what is alarming about it, in one transaction. What it did
  // not mention stays.
  std::vector<ProfileChange> save(const std::vector<Profile>& profiles);

 private:
  ProfileStore(storage::Connection connection, std::function<std::int64_t()> clock);

  void add_event(const ProfileChange& change);

  const storage::Connection connection_;
  const std::function<std::int64_t()> clock_;
  std::string source_region_;
};

}  // namespace invlog::residency

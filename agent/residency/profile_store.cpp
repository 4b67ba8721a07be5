#include "agent/residency/profile_store.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "agent/residency/built_in_profiles.h"
#include "storage/joined.h"
#include "storage/json_writer.h"
#include "storage/schema.h"
#include "storage/side_connection.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "storage/time_text.h"
#include "storage/write_transaction.h"

namespace invlog::residency {
namespace {

using storage::Statement;

constexpr const char* kSelect =
    "SELECT id, arn, kind, scope, geography, models, destinations, wraps, name, learned_at FROM "
    "inference_profile ORDER BY id";
constexpr const char* kInsert =
    "INSERT OR REPLACE INTO inference_profile(id, arn, kind, scope, geography, models, "
    "destinations, wraps, name, learned_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> list;
  while (!text.empty()) {
    const std::size_t comma = std::min(text.find(','), text.size());
    list.emplace_back(text.substr(0, comma));
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return list;
}

std::string_view kind_text(Profile::Kind kind) {
  return kind == Profile::Kind::application ? "application" : "system";
}

Scope scope_of(std::string_view text) {
  for (const Scope scope : {Scope::in_region, Scope::geographic, Scope::global}) {
    if (to_string(scope) == text) {
      return scope;
    }
  }
  return Scope::unknown;
}

std::optional<Profile> profile_of(const Statement& row) {
  Profile profile;
  profile.id = row.bytes(0);
  profile.arn = row.bytes(1);
  profile.kind = row.bytes(2) == kind_text(Profile::Kind::application) ? Profile::Kind::application
                                                                       : Profile::Kind::system;
  profile.scope = scope_of(row.bytes(3));
  profile.geography = row.bytes(4);
  profile.models = split(row.bytes(5));
  profile.wraps = row.bytes(7);
  profile.name = row.bytes(8);
  profile.origin = Profile::Origin::service;
  profile.learned_at_us = row.integer(9);
  if (profile.scope != Scope::global) {
    profile.destinations = split(row.bytes(6));
  }
  const bool whole = !profile.id.empty() && profile.scope != Scope::unknown &&
                     profile.destinations.empty() == (profile.scope == Scope::global);
  return whole ? std::optional(std::move(profile)) : std::nullopt;
}

void insert(Statement& statement, const Profile& profile) {
  const std::string models = storage::joined(profile.models, ","),
                    destinations = destinations_text(profile);
  statement.bind_text(1, profile.id)
      .bind_text(2, profile.arn)
      .bind_text(3, kind_text(profile.kind))
      .bind_text(4, to_string(profile.scope))
      .bind_text(5, profile.geography)
      .bind_text(6, models)
      .bind_text(7, destinations)
      .bind_text(8, profile.wraps)
      .bind_text(9, profile.name)
      .bind(10, profile.learned_at_us)
      .run();
}

// What is different from what was known, if anything is.
std::optional<ProfileChange> compare(const Profile* before, const Profile& after) {
  ProfileChange change;
  change.id = after.id;
  change.after = destinations_text(after);
  if (before == nullptr) {
    change.is_new = true;
    return change;
  }
  change.before = destinations_text(*before);
  change.known_from = before->origin;
  // The built-in table knows some by their names only.
  if (change.before == change.after || change.before.empty()) {
    return std::nullopt;
  }
  change.alarm = before->kind == Profile::Kind::system && before->scope != Scope::global;
  return change;
}

}  // namespace

tl::expected<std::unique_ptr<ProfileStore>, std::string> ProfileStore::open(
    const std::string& store_path, std::function<std::int64_t()> clock) {
  auto connection =
      storage::connect_beside_writer(store_path, "", "what is learned of profiles is kept there");
  if (!connection) {
    return tl::unexpected(std::move(connection.error()));
  }
  try {
    storage::ensure_residency_tables(connection->get());
    if (!clock) {
      clock = storage::system_now_us;
    }
    return std::unique_ptr<ProfileStore>(
        new ProfileStore(std::move(*connection), std::move(clock)));
  } catch (const storage::StoreError& error) {
    return tl::unexpected(std::string(error.what()));
  }
}

ProfileStore::ProfileStore(storage::Connection connection, std::function<std::int64_t()> clock)
    : connection_(std::move(connection)), clock_(std::move(clock)) {
  Statement region(connection_.get(), "SELECT region FROM store");
  if (region.step()) {
    source_region_ = region.bytes(0);
  }
}

std::vector<Profile> ProfileStore::load(sqlite3* connection) {
  std::vector<Profile> profiles;
  if (storage::single_integer(connection,
                              "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = "
                              "'inference_profile'") == 0) {
    return profiles;
  }
  Statement rows(connection, kSelect);
  while (rows.step()) {
    if (auto profile = profile_of(rows)) {
      profiles.push_back(std::move(*profile));
    }
  }
  return profiles;
}

std::vector<ProfileChange> ProfileStore::save(const std::vector<Profile>& profiles) {
  std::vector<ProfileChange> changes;
  storage::WriteTransaction transaction(connection_.get());
  std::map<std::string, std::shared_ptr<const Profile>> known;
  for (Profile& profile : load()) {
    std::string id = profile.id;
    known.emplace(std::move(id), std::make_shared<const Profile>(std::move(profile)));
  }
  Statement statement(connection_.get(), kInsert);
  for (const Profile& profile : profiles) {
    const auto found = known.find(profile.id);
    const auto before =
        found != known.end() ? found->second : built_in_profile(profile.id, source_region_);
    if (auto change = compare(before.get(), profile)) {
      if (change->alarm) {
        add_event(*change);
      }
      changes.push_back(std::move(*change));
    }
    insert(statement, profile);
  }
  transaction.commit();
  return changes;
}

void ProfileStore::add_event(const ProfileChange& change) {
  std::string details = "{";
  storage::append_json_member(details, "profile", change.id);
  storage::append_json_member(details, "before", change.before);
  storage::append_json_member(details, "after", change.after);
  storage::append_json_member(
      details, "known_from",
      change.known_from == Profile::Origin::built_in ? "built-in table" : "service");
  details += "}";
  Statement(connection_.get(), "INSERT INTO event(at, kind, details) VALUES (?1, ?2, ?3)")
      .bind(1, clock_())
      .bind_text(2, "profile-changed")
      .bind_text(3, details)
      .run();
}

}  // namespace invlog::residency

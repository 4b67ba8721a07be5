// Where a store begins after its oldest segments were taken away: what the next thing to look at
// the first remaining segment must know of those before it. It is kept in the newest `retention`
// event (FORMAT.md, "Retention").
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "storage/integrity.h"
#include "storage/sqlite_api.h"

namespace invlog::storage {

struct RetentionBase {
  // Of the last segment that went; 0: none did.
  std::int64_t segment = 0;
  std::int64_t record = 0, label = 0, event = 0;
  Sha256 chain{};              // its chain value; what the chain begins with if none went
  std::int64_t own_event = 0;  // the id of the event that says so
  // Over the label and event rows up to there, which stay and which no segment covers any more.
  Sha256 labels{}, events{};
  // Passing events behind this one are not in `events`: they go. An invlog that did not know that
  // kept those up to here.
  std::int64_t passing_after = 0;
  // How many of the records that went a destination had not got.
  std::map<std::string, std::int64_t> undelivered;
  // False: there is such an event, but it says nothing that can be used.
  bool readable = true;
};

// Events that come by the subject: callers, hosts, models that anybody can name. They go with the
// segments that cover them, and are limited to a share of a store that is limited itself.
inline constexpr const char* kPassingEvents =
    "('call-refused', 'policy-denied', 'proxy-flagged', 'proxy-refused')";
bool is_passing_event(std::string_view kind);

RetentionBase read_retention_base(sqlite3* connection);
// A JSON object that read_retention_base() understands, to stand as "base" in the event's details.
std::string retention_base_json(const RetentionBase& base);

// The digest of the labels after `base.label` up to `last`, and of the events after `base.event`,
// continued from base's.
Sha256 kept_labels_digest(sqlite3* connection, const RetentionBase& base, std::int64_t last);
Sha256 kept_events_digest(sqlite3* connection, const RetentionBase& base, std::int64_t last);

}  // namespace invlog::storage

// Where records are that have left the host: so that what was erased here can be erased there.
//
// The targets are those of the attempts at each record (storage/delivered_ranges.h). Names of S3's
// objects are those that deliveries noted in the table `delivered_object`; what was delivered
// before there was one is told by its time. CloudWatch Logs has no names.
//
// Threads: as the connection. Errors: StoreError.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "storage/erasure_scope.h"
#include "storage/sqlite_api.h"

namespace invlog::storage {

struct ShippedPlaces {
  std::string destination;          // "s3", "cloudwatch_logs"
  std::string target;               // for people: "s3://records-eu", log group and stream; "": not
                                    // known
  std::int64_t records = 0;         // of the selection that are there, or may be
  std::string first_at, last_at;    // ISO 8601, when the first and the last of them began
  std::vector<std::string> places;  // objects that hold them, with others: "s3://bucket/key"
  std::int64_t unplaced = 0;        // of `records`, in no such object
  std::string unplaced_ids;         // JSON, see ranges_json()
  std::int64_t under_way = 0;       // of `records`, in an attempt without an answer so far, or to
                                    // be tried again: they may be there
};

// An entry for each target of each destination that has any, by their last attempts.
std::vector<ShippedPlaces> shipped_places(sqlite3* connection, const ErasureSelection& selection);
// One JSON object, with at most so many places.
std::string shipped_places_json(const ShippedPlaces& shipped, std::size_t most);

}  // namespace invlog::storage

// What decides keys and bytes of a batch besides its records. It is put on record before a batch is
// sent first, and a batch that may have arrived is sent again by it: as the same objects, whatever
// the configuration says by then (exporters/destination.h, "Why the plan").
//
// The bucket is not in it: a plan for another bucket is no plan (Destination::target()).
//
// A plain value; any thread. parse() takes bytes from a file that others can write: whatever it is
// given, it gives a plan that names proper keys and headers, or none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/destination.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

struct BatchPlan {
  std::string prefix;
  std::string account;  // "" not known
  Compression compression = Compression::gzip;
  bool large_bodies = true;
  std::uint64_t large_body_bytes = 0;
  std::string chain_head;  // goes with the objects as metadata
  std::int64_t chain_segment = 0;
  // Set by plans of version 1 only: a body is named after its request id, the second one of that id
  // in a batch after its record. A batch that such a plan began must end under the same names.
  bool bodies_by_request = false;

  static BatchPlan of(const S3Options& options, const Origin& origin);
  static std::optional<BatchPlan> parse(std::string_view json);
  std::string json() const;
  // The names of the batch's objects.
  ObjectLayout layout(const Origin& origin) const;
};

}  // namespace invlog::exporters

// The name of S3 as a target, as people see it and the ledger keeps it: bucket and endpoint,
// without the prefix.
//
// Pure functions; any thread. Errors: none.
#pragma once

#include <string>
#include <string_view>

#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

// "s3://records-eu", "s3://records-eu at http://127.0.0.1:9000".
std::string s3_target(const S3Options& options);
// Whether `target` names the same bucket, by whatever endpoint. AWS's buckets and those of another
// service are not the same, whatever their names.
bool is_s3_target(const S3Options& options, std::string_view target);

}  // namespace invlog::exporters

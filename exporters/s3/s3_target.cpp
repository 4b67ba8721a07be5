#include "exporters/s3/s3_target.h"

#include "exporters/s3/region_guard.h"

namespace invlog::exporters {
namespace {

constexpr std::string_view kAt = " at ";  // between bucket and endpoint

}  // namespace

std::string s3_target(const S3Options& options) {
  const std::string bucket = "s3://" + options.bucket;
  return options.endpoint.empty() ? bucket : bucket + std::string(kAt) + options.endpoint;
}

bool is_s3_target(const S3Options& options, std::string_view target) {
  S3Options other = options;
  const std::size_t at = target.find(kAt);
  other.endpoint = at == std::string_view::npos ? "" : target.substr(at + kAt.size());
  return s3_target(other) == target && is_aws_endpoint(other) == is_aws_endpoint(options);
}

}  // namespace invlog::exporters

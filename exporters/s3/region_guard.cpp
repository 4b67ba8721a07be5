#include "exporters/s3/region_guard.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "exporters/endpoint_check.h"
#include "exporters/s3/endpoint_host.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using aws::ServiceFailure;

tl::unexpected<ServiceFailure> refuse(FailureKind kind, std::string message) {
  ServiceFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return tl::unexpected(std::move(failure));
}

// Names that S3 takes for a bucket but that lead to one, possibly in another Region. Source: S3
// User Guide, "Bucket naming rules", "Using a bucket-style alias for your access point".
struct Alias {
  std::string_view ending, what;
};
constexpr Alias kAliases[] = {{"-s3alias", "the alias of an access point"},
                              {"--ol-s3", "the alias of an Object Lambda access point"},
                              {".mrap", "the alias of a multi-Region access point"},
                              {"--x-s3", "a directory bucket (one Zone, other protocol)"},
                              {"--table-s3", "an S3 table bucket"}};

bool lower_or_digit(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
}

bool is_bucket_name(std::string_view name) {
  return name.size() >= 3 && name.size() <= 63 && lower_or_digit(name.front()) &&
         lower_or_digit(name.back()) && name.find("..") == std::string_view::npos &&
         std::all_of(
             name.begin(), name.end(),
             [](char byte) { return lower_or_digit(byte) || byte == '-' || byte == '.'; }) &&
         !(is_ip_address(name) && std::count(name.begin(), name.end(), '.') == 3) &&
         !name.starts_with("xn--") && !name.starts_with("sthree-");
}

tl::expected<void, ServiceFailure> check_bucket(const std::string& bucket) {
  const std::string where = "exporters.s3.bucket \"" + bucket + "\"";
  if (bucket.starts_with("arn:")) {
    return refuse(FailureKind::redirected,
                  where + " is an ARN, as of an access point, which may lead to another Region; " +
                      "name the bucket itself");
  }
  for (const Alias& alias : kAliases) {
    if (bucket.ends_with(alias.ending)) {
      return refuse(FailureKind::redirected, where + " is " + std::string(alias.what) +
                                                 "; name a bucket of the source Region itself");
    }
  }
  if (!is_bucket_name(bucket)) {
    return refuse(FailureKind::rejected,
                  where + " is no bucket's name: 3 to 63 of a-z, 0-9, '-' and '.', beginning and " +
                      "ending with a letter or digit");
  }
  return {};
}

tl::unexpected<ServiceFailure> not_proven(const S3Options& options, ServiceFailure failure) {
  const std::string why = "bucket " + options.bucket + " is not proven to be in " + options.region +
                          "; nothing was sent: ";
  failure.message =
      why + (failure.message.empty() ? "the answer to HeadBucket has no x-amz-bucket-region"
                                     : failure.message);
  return tl::unexpected(std::move(failure));
}

}  // namespace

bool is_aws_endpoint(const S3Options& options) {
  return options.endpoint.empty() || is_aws_host(host_of_endpoint(options.endpoint));
}

tl::expected<void, ServiceFailure> check_target(const S3Options& options) {
  if (auto bucket = check_bucket(options.bucket); !bucket) {
    return bucket;
  }
  return options.endpoint.empty() ? tl::expected<void, ServiceFailure>()
                                  : check_endpoint("s3", "exporters.s3", options.endpoint,
                                                   options.region, options.region_attested);
}

tl::expected<void, ServiceFailure> prove_region(S3Client& client) {
  const S3Options& options = client.options();
  if (auto target = check_target(options); !target) {
    return target;
  }
  const aws::ServiceResult answer = client.head_bucket();
  const bool aws_itself = is_aws_endpoint(options);
  if (answer) {
    // The client has compared the header, if there is one.
    if (aws_itself && answer->header("x-amz-bucket-region").empty()) {
      ServiceFailure failure;
      failure.kind = FailureKind::redirected;
      failure.status = answer->status;
      return not_proven(options, std::move(failure));
    }
    return {};
  }
  ServiceFailure failure = answer.error();
  if (failure.kind == FailureKind::redirected) {
    failure.message += "; nothing was sent";
    return tl::unexpected(std::move(failure));
  }
  if (failure.status == 404) {
    failure.kind = FailureKind::not_found;
    failure.message = "bucket " + options.bucket + " does not exist (" + failure.message + ")";
    return tl::unexpected(std::move(failure));
  }
  // HEAD has no body to say why: 403 is a missing permission for HeadBucket, which is not needed,
  // and 400 stale credentials, which PutObject will name.
  const bool region_shown = failure.region == options.region;
  if ((failure.status == 403 || failure.status == 400) && region_shown) {
    return {};
  }
  if (failure.status == 403 && !aws_itself) {
    return {};
  }
  return not_proven(options, std::move(failure));
}

}  // namespace invlog::exporters

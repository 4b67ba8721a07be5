#include "exporters/s3/s3_client.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/endpoints.h"
#include "exporters/s3/content_checksum.h"
#include "exporters/s3/endpoint_host.h"
#include "exporters/s3/object_layout.h"

namespace invlog::exporters {
namespace {

// The slowest line on which an object still gets through: half a Mbit/s.
constexpr std::size_t kBytesASecond = 64 << 10;
constexpr std::chrono::seconds kAnswerTimeout{60};

std::string url_encoded(std::string_view text) {
  std::string encoded;
  aws::append_uri_encoded(encoded, text, false);
  return encoded;
}

std::string tagging(const std::map<std::string, std::string>& tags) {
  std::string text;
  for (const auto& [key, value] : tags) {
    text.append(text.empty() ? "" : "&").append(url_encoded(key)).append("=");
    text.append(url_encoded(value));
  }
  return text;
}

void add_unless_empty(aws::HttpHeaders& headers, const char* name, std::string value) {
  if (!value.empty()) {
    headers.emplace_back(name, std::move(value));
  }
}

// What each PutObject of this configuration has.
void add_options(aws::HttpHeaders& headers, const S3Options& options) {
  add_unless_empty(headers, "x-amz-server-side-encryption", options.encryption);
  add_unless_empty(headers, "x-amz-server-side-encryption-aws-kms-key-id", options.kms_key_id);
  if (options.bucket_key) {
    headers.emplace_back("x-amz-server-side-encryption-bucket-key-enabled", "true");
  }
  add_unless_empty(headers, "x-amz-storage-class", options.storage_class);
  add_unless_empty(headers, "x-amz-tagging", tagging(options.tags));
  if (options.if_none_match) {
    headers.emplace_back("if-none-match", "*");
  }
}

// What an earlier attempt at these records left is theirs, even if bodies were erased since, so
// that the bytes differ.
bool holds_the_same_records(const aws::HttpResponse& existing, const S3Object& object) {
  const auto is_same = [&existing](const auto& field) {
    return existing.header(field.first) == field.second;
  };
  const auto says_which = [](const auto& field) {
    return field.first == kRecordsHeader || field.first == kHostHeader;
  };
  const bool known = std::any_of(object.metadata.begin(), object.metadata.end(),
                                 [](const auto& field) { return field.first == kRecordsHeader; });
  return known &&
         std::all_of(object.metadata.begin(), object.metadata.end(),
                     [&](const auto& field) { return !says_which(field) || is_same(field); });
}

aws::ServiceFailure elsewhere(const S3Options& options, const std::string& region,
                              aws::ServiceFailure failure) {
  failure.kind = aws::FailureKind::redirected;
  failure.region = region;
  failure.message = "bucket " + options.bucket + " is in " + region + ", the source Region is " +
                    options.region + (failure.message.empty() ? "" : ": ") + failure.message;
  return failure;
}

aws::ServiceClientOptions service_options(const S3Options& options, aws::SystemClock clock) {
  aws::ServiceClientOptions service;
  service.service = "s3";
  service.region = options.region;
  service.endpoint = bucket_endpoint(options);
  service.total_timeout = kAnswerTimeout;
  if (clock) {
    service.clock = std::move(clock);
  }
  return service;
}

// S3 answers 200 with an ETag (API reference, PutObject), and so do the stores that speak its
// protocol. A proxy or a login page in between that says 2xx has stored nothing.
tl::expected<void, aws::ServiceFailure> s3_took(const aws::HttpResponse& answer,
                                                const std::string& what) {
  constexpr int kOk = 200;
  if (answer.status == kOk && !answer.header("etag").empty()) {
    return {};
  }
  aws::ServiceFailure failure;
  failure.status = answer.status;
  failure.message = what + ": HTTP " + std::to_string(answer.status) +
                    " without an ETag is not S3's answer; does something stand between?";
  return tl::unexpected(std::move(failure));
}

}  // namespace

bool uses_path_style(const S3Options& options) {
  return options.path_style || is_ip_address(host_of_endpoint(options.endpoint)) ||
         (options.bucket.find('.') != std::string::npos &&
          !options.endpoint.starts_with("http://"));
}

std::string bucket_endpoint(const S3Options& options) {
  std::string endpoint = options.endpoint.empty()
                             ? "https://" + aws::service_host("s3", options.region)
                             : options.endpoint;
  if (!uses_path_style(options)) {
    const std::size_t host = endpoint.find("://");
    endpoint.insert(host == std::string::npos ? 0 : host + 3, options.bucket + ".");
  }
  return endpoint;
}

std::string object_path(const S3Options& options, std::string_view key) {
  std::string path = "/";
  if (uses_path_style(options)) {
    aws::append_uri_encoded(path, options.bucket, false);
    if (!key.empty()) {
      path.push_back('/');
    }
  }
  aws::append_uri_encoded(path, key, true);
  return path;
}

aws::ServiceRequest head_bucket_request(const S3Options& options) {
  aws::ServiceRequest request;
  request.method = "HEAD";
  request.path = object_path(options, "");
  request.what = "HeadBucket " + options.bucket;
  return request;
}

S3Client::S3Client(const S3Options& options, aws::HttpClient& http,
                   aws::CredentialsProvider& credentials, aws::SystemClock clock)
    : options_(options), service_(service_options(options, std::move(clock)), http, credentials) {}

aws::ServiceResult S3Client::call(aws::ServiceRequest request) {
  add_unless_empty(request.headers, "x-amz-expected-bucket-owner", options_.expected_bucket_owner);
  aws::ServiceResult result = service_.call(request);
  const std::string region =
      result ? std::string(result->header("x-amz-bucket-region")) : result.error().region;
  if (!region.empty() && region != options_.region) {
    return tl::unexpected(
        elsewhere(options_, region, result ? aws::ServiceFailure() : std::move(result.error())));
  }
  return result;
}

aws::ServiceResult S3Client::head_bucket() {
  return call(head_bucket_request(options_));
}

aws::ServiceResult S3Client::head_object(const std::string& key) {
  aws::ServiceRequest request;
  request.method = "HEAD";
  request.path = object_path(options_, key);
  request.headers.emplace_back("x-amz-checksum-mode", "ENABLED");
  request.what = "HeadObject " + s3_uri(options_.bucket, key);
  return call(std::move(request));
}

tl::expected<void, aws::ServiceFailure> S3Client::put(const S3Object& object) {
  const std::string checksum = checksum_value(options_.checksum, object.bytes);
  aws::ServiceRequest request;
  request.method = "PUT";
  request.path = object_path(options_, object.key);
  request.body = object.bytes;
  request.what = "PutObject " + s3_uri(options_.bucket, object.key);
  request.total_timeout =
      kAnswerTimeout + std::chrono::seconds(object.bytes.size() / kBytesASecond);
  // No Content-Encoding, as on AWS's own objects: compression is told by the name's ending, and a
  // client that sees the header too would decode once for it and once for the name.
  request.headers.emplace_back("content-type", object.content_type);
  request.headers.emplace_back("x-amz-sdk-checksum-algorithm",
                               checksum_algorithm(options_.checksum));
  request.headers.emplace_back(checksum_header(options_.checksum), checksum);
  add_options(request.headers, options_);
  request.headers.insert(request.headers.end(), object.metadata.begin(), object.metadata.end());

  const std::string what = request.what;
  aws::ServiceResult result = call(std::move(request));
  if (result) {
    return s3_took(*result, what);
  }
  constexpr int kConflict = 409, kPreconditionFailed = 412;
  if (options_.if_none_match && result.error().status == kPreconditionFailed) {
    return compare_existing(object, checksum);
  }
  if (options_.if_none_match && result.error().status == kConflict) {
    // Somebody writes this key at this moment: an earlier attempt of ours whose answer was lost.
    result.error().kind = aws::FailureKind::transient;
  }
  return tl::unexpected(std::move(result.error()));
}

// 412 after an attempt whose answer was lost means that the attempt arrived.
tl::expected<void, aws::ServiceFailure> S3Client::compare_existing(const S3Object& object,
                                                                   const std::string& checksum) {
  aws::ServiceResult existing = head_object(object.key);
  if (!existing) {
    aws::ServiceFailure failure = std::move(existing.error());
    if (failure.kind == aws::FailureKind::denied) {
      failure.message +=
          "; the object exists, and telling whether it is this one needs s3:GetObject";
    } else if (failure.kind == aws::FailureKind::not_found) {
      failure.kind = aws::FailureKind::transient;  // deleted in between
    }
    return tl::unexpected(std::move(failure));
  }
  const std::string_view theirs = existing->header(checksum_header(options_.checksum));
  const bool same = theirs.empty()
                        ? existing->header("content-length") == std::to_string(object.bytes.size())
                        : theirs == checksum;
  if (same || holds_the_same_records(*existing, object)) {
    return {};
  }
  aws::ServiceFailure failure;
  failure.kind = aws::FailureKind::rejected;
  failure.status = 412;
  failure.code = "PreconditionFailed";
  failure.message = "PutObject " + s3_uri(options_.bucket, object.key) +
                    ": another object has this name and if_none_match forbids to replace it; move "
                    "it away or set if_none_match = false";
  return tl::unexpected(std::move(failure));
}

}  // namespace invlog::exporters

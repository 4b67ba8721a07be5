#include "exporters/s3/s3_object_reader.h"

#include <chrono>
#include <pugixml.hpp>
#include <utility>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/endpoints.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/s3_client.h"

namespace invlog::exporters {
namespace {

constexpr std::chrono::minutes kObjectTimeout{10};

void add_parameter(std::string& query, const char* name, const std::string& value) {
  query.append(query.empty() ? "" : "&").append(name).append("=");
  aws::append_uri_encoded(query, value, false);
}

}  // namespace

S3ObjectReader::S3ObjectReader(S3Options options, aws::HttpClient& http,
                               aws::CredentialsProvider& credentials, aws::SystemClock clock)
    : options_(std::move(options)),
      http_(http),
      credentials_(credentials),
      clock_(std::move(clock)) {
  connect();
}

void S3ObjectReader::connect() {
  aws::ServiceClientOptions service;
  service.service = "s3";
  service.region = options_.region;
  service.endpoint = bucket_endpoint(options_);
  if (clock_) {
    service.clock = clock_;
  }
  service_ = std::make_unique<aws::ServiceClient>(std::move(service), http_, credentials_);
}

tl::expected<void, aws::ServiceFailure> S3ObjectReader::find_region() {
  if (!options_.endpoint.empty()) {
    return {};
  }
  aws::ServiceResult result = service_->call(head_bucket_request(options_));
  const std::string region =
      result ? std::string(result->header("x-amz-bucket-region")) : result.error().region;
  if (aws::is_region_name(region)) {
    options_.region = region;
    connect();
    return {};
  }
  if (!result) {
    return tl::unexpected(std::move(result.error()));
  }
  return {};
}

tl::expected<S3Listing, aws::ServiceFailure> S3ObjectReader::list(const std::string& prefix,
                                                                  const std::string& continuation,
                                                                  const std::string& after) {
  aws::ServiceRequest request;
  request.method = "GET";
  request.path = object_path(options_, "");
  add_parameter(request.query, "list-type", "2");
  add_parameter(request.query, "prefix", prefix);
  if (!continuation.empty()) {
    add_parameter(request.query, "continuation-token", continuation);
  } else if (!after.empty()) {
    add_parameter(request.query, "start-after", after);
  }
  request.what = "ListObjectsV2 " + s3_uri(options_.bucket, prefix);
  aws::ServiceResult result = service_->call(request);
  if (!result) {
    return tl::unexpected(std::move(result.error()));
  }
  auto listing = read_listing(result->body);
  if (!listing) {
    aws::ServiceFailure failure;
    failure.status = result->status;
    failure.message = request.what + ": the answer cannot be read (" + listing.error() + ")";
    return tl::unexpected(std::move(failure));
  }
  return *std::move(listing);
}

aws::ServiceResult S3ObjectReader::get(const std::string& key) {
  aws::ServiceRequest request;
  request.method = "GET";
  request.path = object_path(options_, key);
  request.what = "GetObject " + s3_uri(options_.bucket, key);
  request.total_timeout = kObjectTimeout;
  return service_->call(request);
}

aws::ServiceResult S3ObjectReader::head(const std::string& key) {
  aws::ServiceRequest request;
  request.method = "HEAD";
  request.path = object_path(options_, key);
  request.what = "HeadObject " + s3_uri(options_.bucket, key);
  return service_->call(request);
}

tl::expected<S3Listing, std::string> read_listing(const std::string& xml) {
  pugi::xml_document document;
  const pugi::xml_parse_result parsed = document.load_buffer(xml.data(), xml.size());
  if (!parsed) {
    return tl::unexpected(std::string(parsed.description()));
  }
  const pugi::xml_node root = document.child("ListBucketResult");
  if (!root) {
    return tl::unexpected(std::string("it is no ListBucketResult"));
  }
  S3Listing listing;
  for (const pugi::xml_node& contents : root.children("Contents")) {
    listing.entries.push_back({contents.child_value("Key"),
                               contents.child("Size").text().as_ullong(),
                               contents.child_value("LastModified")});
  }
  if (std::string_view(root.child_value("IsTruncated")) == "true") {
    listing.next = root.child_value("NextContinuationToken");
    if (listing.next.empty()) {
      return tl::unexpected(std::string("it is cut short and names no continuation"));
    }
  }
  return listing;
}

}  // namespace invlog::exporters

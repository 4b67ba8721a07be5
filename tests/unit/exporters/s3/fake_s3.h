// An S3 in memory behind the HttpClient interface. It keeps to what the real one enforces: the
// path's encoding, the payload's hash and checksum, the signature (recomputed from what arrived),
// the expected owner, If-None-Match. What is not as S3 wants it is answered with S3's error.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exporters/aws/http_client.h"

namespace invlog::exporters {

class FakeS3 : public aws::HttpClient {
 public:
  struct Object {
    std::string bytes;
    std::map<std::string, std::string> headers;
  };
  struct Call {
    std::string method, url, key;
    aws::HttpHeaders headers;
    std::chrono::milliseconds timeout{0};
  };

  // Answers an arrived call instead of the store; no value: not this one. `after`: the store has
  // taken the request by then (an answer that gets lost).
  using Fault = std::function<std::optional<aws::HttpResult>(const Call&)>;
  Fault before, after;

  std::string bucket = "records-eu";
  std::string host = "records-eu.s3.eu-central-1.amazonaws.com";  // as expected in the URL
  bool path_style = false;
  std::chrono::system_clock::time_point signing_time;  // as expected in the signature
  std::string region = "eu-central-1";
  std::string owner;  // "" not checked
  int head_bucket_status = 200;
  bool names_region = true;  // x-amz-bucket-region on HeadBucket
  bool stores_checksums = true;
  std::map<std::string, Object> objects;
  std::vector<Call> calls;

  FakeS3();
  aws::HttpResult send(const aws::HttpRequest& request) override;

  std::vector<std::string> keys() const;
  int count(const std::string& method) const;

 private:
  aws::HttpResponse answer(const Call& call, std::string_view body);
  aws::HttpResponse put(const Call& call, std::string_view body);
  aws::HttpResponse head(const Call& call) const;
  std::string why_refused(const Call& call, const std::string& wire_path,
                          std::string_view body) const;
};

// The value of a header that a call has exactly once, "" none, "twice" if repeated.
std::string header_of(const FakeS3::Call& call, const std::string& name);

}  // namespace invlog::exporters

// One AWS service at one endpoint: signs, sends, and tells what a failure means.
//
// A clock that is off is corrected from the answer's Date header, and credentials that the service
// calls expired are fetched anew; in both cases the call is made once more at once, and only once.
// Every other repetition is the caller's (exporters/backoff.h).
//
// Threads: one ServiceClient belongs to one thread at a time. Ownership: the HttpClient and the
// provider must outlive it. Errors: results, as in service_failure.h.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/aws/service_failure.h"
#include "exporters/aws/sigv4.h"

namespace invlog::aws {

using SystemClock = std::function<std::chrono::system_clock::time_point()>;

struct ServiceClientOptions {
  std::string service;   // signing name: "logs", "s3", "sts", "bedrock"
  std::string region;    // that requests are signed for
  std::string endpoint;  // scheme://host[:port], without a path
  SystemClock clock = std::chrono::system_clock::now;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds total_timeout{60000};
};

struct ServiceRequest {
  std::string method = "POST";
  std::string path = "/";  // as on the wire, percent-encoded once
  std::string query;       // as on the wire, without '?'
  HttpHeaders headers;     // all of them are signed
  std::string_view body;   // must live until call() returns
  std::string what;        // for messages: "PutLogEvents /invlog/records"
  bool sign = true;        // false: AssumeRoleWithWebIdentity
  // Of this call, if it needs more than the options' total_timeout (a long body); 0: that one.
  std::chrono::milliseconds total_timeout{0};
};

using ServiceResult = tl::expected<HttpResponse, ServiceFailure>;

class ServiceClient {
 public:
  ServiceClient(ServiceClientOptions options, HttpClient& http, CredentialsProvider& credentials);

  // A response with a status of 200 to 299, or why there is none. For S3 (service "s3") the path is
  // signed as it is and x-amz-content-sha256 is sent, as S3 asks.
  ServiceResult call(const ServiceRequest& request);

  const ServiceClientOptions& options() const { return options_; }
  // What the service's clock is ahead of this host's, as last seen; 0 until a call failed for it.
  std::chrono::seconds clock_offset() const { return clock_offset_; }
  // The access key id of the last request that was signed, "" before the first.
  const std::string& signed_with() const { return signed_with_; }

 private:
  ServiceResult call_once(const ServiceRequest& request);
  void sign(HttpRequest& http, const ServiceRequest& request, const Credentials& credentials);
  void learn_clock(const ServiceRequest& request, const HttpResponse& response,
                   ServiceFailure& failure);

  const ServiceClientOptions options_;
  HttpClient& http_;
  CredentialsProvider& credentials_;
  Signer signer_;
  std::chrono::seconds clock_offset_{0};
  std::string signed_with_;
};

}  // namespace invlog::aws

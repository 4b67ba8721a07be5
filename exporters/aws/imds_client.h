// Asks the EC2 instance metadata service (IMDS): version 2 with a token, or version 1 where version
// 2 is not there and nobody forbids it. Source: AWS SDKs and Tools Reference Guide, "IMDS
// credential provider"; botocore utils.py (InstanceMetadataFetcher); facts/aws-delivery.md §6.2.
//
// Threads: one at a time; blocks for AWS_METADATA_SERVICE_TIMEOUT (1 s) times
// AWS_METADATA_SERVICE_NUM_ATTEMPTS (1) a request. Errors: the address and the cause; never the
// token.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/chain_options.h"

namespace invlog::aws {

class ImdsClient {
 public:
  // Why there is no answer: nobody is there, or somebody is and it went wrong.
  struct Trouble {
    bool nobody = false;
    std::string text;
    bool may_pass = false;  // without anybody doing anything
  };

  explicit ImdsClient(const ChainOptions& options);

  // `path` below the address: "/latest/meta-data/placement/region"; `what` names it in errors. Any
  // status but 401 is an answer.
  tl::expected<HttpResponse, Trouble> get(const std::string& path, const std::string& what);
  Trouble trouble_of(const HttpResponse& response, const std::string& what) const;

  // False: AWS_EC2_METADATA_DISABLED is true.
  bool enabled() const { return !disabled_; }
  const std::string& address() const { return base_; }  // scheme://host[:port]

 private:
  void read_environment();
  tl::expected<void, Trouble> prepare_token();
  HttpResult send(const HttpRequest& request);
  HttpRequest request_to(const std::string& path) const;
  Trouble trouble_of(const HttpFailure& failure) const;

  const ChainOptions options_;
  bool disabled_ = false, version_1_disabled_ = false;
  std::string base_;
  std::string configuration_;  // what is wrong with the environment, "" nothing
  std::chrono::milliseconds timeout_{1000};
  int attempts_ = 1;
  std::unique_ptr<HttpClient> http_;
  std::string token_;  // "": version 1
  std::chrono::steady_clock::time_point token_until_{};
  bool answered_before_ = false;
};

// Without white space around it: what the service answers ends with a line's end.
std::string_view trimmed_answer(std::string_view text);

}  // namespace invlog::aws

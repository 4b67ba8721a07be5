// Credentials of an EC2 instance's role, from the instance metadata service (IMDS), version 2 with
// a token, or version 1 where version 2 is not there and nobody forbids it. Source: AWS SDKs and
// Tools Reference Guide, "IMDS credential provider"; botocore utils.py (InstanceMetadataFetcher);
// facts/aws-delivery.md §6.2.
//
// Where nobody answers at the address, this host is no instance: that is nothing, not an error,
// until it has answered once.
//
// Threads: one at a time (its cache sees to that); blocks for AWS_METADATA_SERVICE_TIMEOUT (1 s)
// times AWS_METADATA_SERVICE_NUM_ATTEMPTS (1) a request. Errors: the address and the cause; never
// the token.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"

namespace invlog::aws {

class ImdsCredentials final : public CredentialsProvider {
 public:
  explicit ImdsCredentials(const ChainOptions& options);
  ProvideResult provide() override;
  std::string name() const override { return "IMDS"; }
  std::string why_nothing() const override { return why_nothing_; }
  // False: AWS_EC2_METADATA_DISABLED is true.
  bool enabled() const { return !disabled_; }

 private:
  // Why there are no credentials: nobody is there, or somebody is and it went wrong.
  struct Trouble {
    bool nobody = false;
    std::string text;
  };

  void read_environment();
  tl::expected<Credentials, Trouble> fetch();
  tl::expected<void, Trouble> prepare_token();
  tl::expected<HttpResponse, Trouble> get(const std::string& path, const std::string& what);
  HttpResult send(const HttpRequest& request);
  HttpRequest request_to(const std::string& path) const;
  Trouble trouble_of(const HttpFailure& failure) const;
  Trouble trouble_of(const HttpResponse& response, const std::string& what) const;

  const ChainOptions options_;
  bool disabled_ = false, version_1_disabled_ = false;
  std::string base_;           // scheme://host[:port]
  std::string configuration_;  // what is wrong with the environment, "" nothing
  std::chrono::milliseconds timeout_{1000};
  int attempts_ = 1;
  std::unique_ptr<HttpClient> http_;
  std::string token_;  // "": version 1
  std::chrono::steady_clock::time_point token_until_{};
  bool answered_before_ = false;
  std::string why_nothing_ = "not asked yet";
};

}  // namespace invlog::aws

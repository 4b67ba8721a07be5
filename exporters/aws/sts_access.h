// STS as the links of the credential chain need it: made at the first use, at the endpoint that is
// configured or the Region's own, with an HttpClient of its own.
//
// Threads: one at a time. Ownership: the credentials given must outlive it. Errors: results.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/service_client.h"
#include "exporters/aws/sts.h"

namespace invlog::aws {

// The STS endpoint that options or the environment name, "" if neither does.
std::string configured_sts_endpoint(const std::string& option, const Environment& environment);

class StsAccess {
 public:
  // `credentials` sign AssumeRole; with a web identity they are not asked.
  StsAccess(const ChainOptions& options, CredentialsProvider& credentials);

  // The credentials have no `source`; their expiration is by this host's clock, even if that is
  // off.
  tl::expected<Credentials, CredentialsError> assume(const AssumeRoleRequest& request);

 private:
  tl::expected<ServiceClient*, std::string> client();

  const ChainOptions options_;
  CredentialsProvider& credentials_;
  std::unique_ptr<HttpClient> http_;
  std::unique_ptr<ServiceClient> client_;
};

}  // namespace invlog::aws

// Credentials of an EC2 instance's role, from the instance metadata service.
//
// Where nobody answers at the address, this host is no instance: that is nothing, not an error,
// until it has answered once.
//
// Threads: one at a time (its cache sees to that); blocks as ImdsClient says. Errors: the address
// and the cause; never the token.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/imds_client.h"

namespace invlog::aws {

class ImdsCredentials final : public CredentialsProvider {
 public:
  explicit ImdsCredentials(const ChainOptions& options) : client_(options) {}
  ProvideResult provide() override;
  std::string name() const override { return "IMDS"; }
  std::string why_nothing() const override { return why_nothing_; }
  // False: AWS_EC2_METADATA_DISABLED is true.
  bool enabled() const { return client_.enabled(); }

 private:
  tl::expected<Credentials, ImdsClient::Trouble> fetch();

  ImdsClient client_;
  std::string why_nothing_ = "not asked yet";
};

}  // namespace invlog::aws

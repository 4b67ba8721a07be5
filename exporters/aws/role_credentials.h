// A role's credentials, by AssumeRole with the credentials of another link. Source: AWS SDKs and
// Tools Reference Guide, "Assume role credential provider".
//
// Threads: one at a time (its cache sees to that); blocks on STS. Ownership: owns its source.
// Errors: the owner, the role and STS's words.
#pragma once

#include <memory>
#include <string>

#include "exporters/aws/credentials.h"
#include "exporters/aws/role_settings.h"
#include "exporters/aws/sts_access.h"

namespace invlog::aws {

class RoleCredentials final : public CredentialsProvider {
 public:
  // `owner`: "profile dev"; `by`: whose credentials `source` gives, "profile base" or
  // "Ec2InstanceMetadata".
  RoleCredentials(const ChainOptions& options, std::string owner, RoleSettings role, std::string by,
                  std::unique_ptr<CredentialsProvider> source);
  ProvideResult provide() override;
  std::string name() const override { return owner_; }

 private:
  const std::string owner_, by_;
  const RoleSettings role_;
  const std::unique_ptr<CredentialsProvider> source_;
  StsAccess sts_;
};

}  // namespace invlog::aws

// A role's credentials, by AssumeRoleWithWebIdentity with a token from a file: EKS service
// accounts, and any OpenID Connect provider. The file is read at each use, since its token is
// replaced long before it expires. Source: AWS SDKs and Tools Reference Guide, "Assume role
// credential provider"; sts service-2.json.
//
// Threads: one at a time (its cache sees to that); blocks on the file and on STS. Errors: the
// owner, the file or the role, and the cause; never the token.
#pragma once

#include <memory>
#include <string>

#include "exporters/aws/credentials.h"
#include "exporters/aws/role_settings.h"
#include "exporters/aws/sts_access.h"

namespace invlog::aws {

class WebIdentityCredentials final : public CredentialsProvider {
 public:
  // `owner`: "profile dev", "" the environment.
  WebIdentityCredentials(const ChainOptions& options, std::string owner, std::string token_file,
                         RoleSettings role);
  ProvideResult provide() override;
  std::string name() const override { return owner_.empty() ? "web identity" : owner_; }

 private:
  const std::string owner_, token_file_;
  const RoleSettings role_;
  const std::unique_ptr<CredentialsProvider> unsigned_;
  StsAccess sts_;
};

// AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN and AWS_ROLE_SESSION_NAME, cached.
std::unique_ptr<CredentialsProvider> web_identity_by_environment(const ChainOptions& options);

}  // namespace invlog::aws

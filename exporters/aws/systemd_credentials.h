// Credentials that systemd hands to the unit in $CREDENTIALS_DIRECTORY, from LoadCredential= or
// LoadCredentialEncrypted=: `aws-credentials` in the format of the shared credentials file (the
// profile asked for, or [default]), or one value a file in `aws-access-key-id`,
// `aws-secret-access-key` and, if there is one, `aws-session-token`. Source:
// systemd.io/CREDENTIALS.
//
// Threads: any; blocks on the files. Errors: results with the file and the cause, without its
// content.
#pragma once

#include <string>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/profile_credentials.h"

namespace invlog::aws {

class SystemdCredentials final : public CredentialsProvider {
 public:
  explicit SystemdCredentials(const ChainOptions& options);
  ProvideResult provide() override;
  void forget() override { shared_format_.forget(); }
  std::string name() const override { return "systemd credentials"; }
  std::string why_nothing() const override;

 private:
  ProvideResult from_single_files() const;

  const std::string directory_;  // "" none
  const bool profile_named_;     // by configuration: single values are nobody's profile
  ProfileCredentials shared_format_;
};

}  // namespace invlog::aws

// Credentials that a program prints: a profile's credential_process. Source: AWS SDKs and Tools
// Reference Guide, "Process credential provider".
//
// Threads: one at a time (its cache sees to that); blocks until the program has ended or
// ChainOptions::process_timeout is over. Errors: the program's name, what went wrong and the
// beginning of its standard error; never its output or its arguments, which may hold secrets.
#pragma once

#include <string>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"

namespace invlog::aws {

class ProcessCredentials final : public CredentialsProvider {
 public:
  // `owner`: "profile dev".
  ProcessCredentials(const ChainOptions& options, std::string owner, std::string command);
  ProvideResult provide() override;
  std::string name() const override { return owner_; }

 private:
  const ChainOptions options_;
  const std::string owner_, command_;
};

}  // namespace invlog::aws

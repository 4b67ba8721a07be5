// Credentials of a profile in the shared credentials and config files: static keys, a
// credential_process, a web identity, a role or a chain of them.
//
// The files are looked at once a second at most, and read again when they have changed; what was
// fetched stays as long as the profile says the same.
//
// Threads: any. Blocks on the files, and on what the profile names. Errors: results with file and
// line, or of the link that the profile names.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/profile_files.h"
#include "exporters/aws/profile_plan.h"

namespace invlog::aws {

class ProfileCredentials final : public CredentialsProvider {
 public:
  enum class Absence {
    nothing,  // the profile need not be there
    // It must if options.profile, AWS_PROFILE or AWS_DEFAULT_PROFILE names it. One that is there
    // without credentials, for a Region say, leaves them to the next link, as SDKs have it; but not
    // options.profile, which stands alone.
    error_if_named
  };
  ProfileCredentials(const ChainOptions& options, ProfilePaths paths, Absence absence);

  ProvideResult provide() override;
  void forget() override;
  std::string name() const override { return "profile " + plan_options_.profile; }
  std::string why_nothing() const override;

 private:
  void look_at_files();

  const ChainOptions options_;
  const ProfilePaths paths_;
  PlanOptions plan_options_;

  std::mutex mutex_;  // guards what follows
  std::optional<std::chrono::steady_clock::time_point> checked_at_;
  std::optional<std::pair<FileVersion, FileVersion>> versions_;
  std::string error_;  // of the files, "" none
  ProfilePlan plan_;
  std::shared_ptr<CredentialsProvider> planned_;  // that follows plan_; null: the plan is empty
};

// The link that follows the plan, which is not empty.
std::unique_ptr<CredentialsProvider> provider_of(const ProfilePlan& plan,
                                                 const ChainOptions& options);

}  // namespace invlog::aws

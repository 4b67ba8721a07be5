#include "exporters/aws/profile_credentials.h"

#include "exporters/aws/cached_credentials.h"
#include "exporters/aws/container_credentials.h"
#include "exporters/aws/imds_credentials.h"
#include "exporters/aws/process_credentials.h"
#include "exporters/aws/role_credentials.h"
#include "exporters/aws/web_identity_credentials.h"

namespace invlog::aws {
namespace {

constexpr std::chrono::seconds kCheckInterval{1};

class StaticKeys final : public CredentialsProvider {
 public:
  explicit StaticKeys(Credentials credentials) : credentials_(std::move(credentials)) {}
  ProvideResult provide() override { return credentials_; }

 private:
  const Credentials credentials_;
};

Credentials keys_of(const ProfileStep& step) {
  Credentials credentials;
  credentials.access_key_id = step.access_key_id;
  credentials.secret_access_key = step.secret_access_key;
  credentials.session_token = step.session_token;
  credentials.source = "profile " + step.profile + " in " + step.path;
  return credentials;
}

std::unique_ptr<CredentialsProvider> credential_source(const std::string& name,
                                                       const ChainOptions& options) {
  if (name == "Environment") {
    return environment_provider(options.environment);
  }
  if (name == "EcsContainer") {
    return cached(std::make_unique<ContainerCredentials>(options), options);
  }
  return cached(std::make_unique<ImdsCredentials>(options), options, true);
}

}  // namespace

std::unique_ptr<CredentialsProvider> provider_of(const ProfilePlan& plan,
                                                 const ChainOptions& options) {
  std::unique_ptr<CredentialsProvider> provider;
  std::string by;
  for (const ProfileStep& step : plan) {
    const std::string owner = "profile " + step.profile;
    switch (step.kind) {
      case ProfileStep::Kind::keys:
        provider = std::make_unique<StaticKeys>(keys_of(step));
        break;
      case ProfileStep::Kind::process:
        provider = cached(std::make_unique<ProcessCredentials>(options, owner, step.text), options);
        break;
      case ProfileStep::Kind::web_identity:
        provider =
            cached(std::make_unique<WebIdentityCredentials>(options, owner, step.text, step.role),
                   options);
        break;
      case ProfileStep::Kind::credential_source:
        provider = credential_source(step.text, options);
        break;
      case ProfileStep::Kind::role:
        provider = cached(
            std::make_unique<RoleCredentials>(options, owner, step.role, by, std::move(provider)),
            options);
        break;
    }
    by = step.kind == ProfileStep::Kind::credential_source ? step.text : owner;
  }
  return provider;
}

ProfileCredentials::ProfileCredentials(const ChainOptions& options, ProfilePaths paths,
                                       Absence absence)
    : options_(options), paths_(std::move(paths)) {
  std::string profile = options.profile;
  for (const char* variable : {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}) {
    profile = profile.empty() ? value_of(options.environment, variable) : profile;
  }
  plan_options_.must_exist = !profile.empty() && absence == Absence::error_if_named;
  plan_options_.must_give = !options.profile.empty() && absence == Absence::error_if_named;
  plan_options_.profile = profile.empty() ? "default" : profile;
  plan_options_.role_session_name = options.role_session_name;
}

ProvideResult ProfileCredentials::provide() {
  std::shared_ptr<CredentialsProvider> planned;
  {
    const std::lock_guard lock(mutex_);
    const auto now = options_.steady_clock();
    if (!checked_at_ || now - *checked_at_ >= kCheckInterval) {
      checked_at_ = now;
      look_at_files();
    }
    if (!error_.empty()) {
      return tl::unexpected(error_);
    }
    planned = planned_;
  }
  return planned ? planned->provide() : std::nullopt;
}

void ProfileCredentials::look_at_files() {
  // Versions first: what changes while the files are being read is seen at the next check.
  const auto versions = versions_of(paths_);
  if (versions_ == versions) {
    return;
  }
  const auto files = ProfileFiles::read(paths_);
  // What could not be read may be readable a second later, though no file changed: the process was
  // out of descriptors, or somebody put a directory's permissions right.
  versions_ = files ? std::optional(versions) : std::nullopt;
  auto plan = files ? plan_profile(*files, plan_options_)
                    : tl::expected<ProfilePlan, std::string>(tl::unexpected(files.error()));
  error_ = plan ? "" : plan.error();
  if (plan && *plan != plan_) {
    planned_ = plan->empty() ? nullptr : provider_of(*plan, options_);
    plan_ = std::move(*plan);
  }
}

void ProfileCredentials::forget() {
  std::shared_ptr<CredentialsProvider> planned;
  {
    const std::lock_guard lock(mutex_);
    checked_at_.reset();
    planned = planned_;
  }
  if (planned) {
    planned->forget();
  }
}

std::string ProfileCredentials::why_nothing() const {
  if (paths_.credentials.empty() && paths_.config.empty()) {
    return "there is no file to look at, since HOME is not set";
  }
  return paths_.credentials + (paths_.config.empty() ? "" : " and " + paths_.config) +
         ": no credentials of the profile " + plan_options_.profile;
}

}  // namespace invlog::aws

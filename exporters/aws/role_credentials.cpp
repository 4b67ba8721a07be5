#include "exporters/aws/role_credentials.h"

#include <utility>

namespace invlog::aws {

RoleCredentials::RoleCredentials(const ChainOptions& options, std::string owner, RoleSettings role,
                                 std::string by, std::unique_ptr<CredentialsProvider> source)
    : owner_(std::move(owner)),
      by_(std::move(by)),
      role_(std::move(role)),
      source_(std::move(source)),
      sts_(options, *source_) {}

ProvideResult RoleCredentials::provide() {
  // Asked here first, so that what it says is not wrapped in what STS was to be asked.
  const ProvideResult base = source_->provide();
  if (!base || !*base) {
    return tl::unexpected(
        CredentialsError(owner_ + ": role " + role_.role_arn + " needs credentials of " + by_ +
                             ": " + (base ? source_->why_nothing() : base.error().message),
                         !base && base.error().may_pass));
  }
  AssumeRoleRequest request;
  request.role_arn = role_.role_arn;
  request.session_name = role_.session_name;
  request.external_id = role_.external_id;
  request.duration = role_.duration;
  auto credentials = sts_.assume(request);
  if (!credentials) {
    return tl::unexpected(CredentialsError(owner_ + ": " + credentials.error().message,
                                           credentials.error().may_pass));
  }
  credentials->source = owner_ + ": role " + role_.role_arn + " by " + by_;
  return std::move(*credentials);
}

}  // namespace invlog::aws

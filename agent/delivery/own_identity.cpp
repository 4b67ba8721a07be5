#include "agent/delivery/own_identity.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "agent/delivery/aws_access.h"

namespace invlog::delivery {

OwnIdentity::OwnIdentity(const config::AgentConfig& configuration,
                         aws::CredentialsProvider& credentials, const aws::Environment& environment,
                         const std::atomic<bool>* cancelled, std::unique_ptr<aws::HttpClient> http)
    : configured_account_(configuration.account_id) {
  const auto endpoint = aws::identity_endpoint(configuration.upstream, configuration.region,
                                               configuration.aws.sts_endpoint, environment);
  if (!endpoint) {
    return;
  }
  http_ = http ? std::move(http) : make_http_client(configuration.aws, environment, cancelled);
  aws::ServiceClientOptions options;
  options.service = "sts";
  options.region = configuration.region;
  options.endpoint = *endpoint;
  options.total_timeout = std::chrono::seconds(10);
  sts_ = std::make_unique<aws::ServiceClient>(std::move(options), *http_, credentials);
  lookup_ = std::make_unique<aws::CallerIdentityLookup>(*sts_);
}

std::string OwnIdentity::endpoint() const {
  return sts_ == nullptr ? "" : sts_->options().endpoint;
}

std::optional<aws::CallerIdentity> OwnIdentity::ask(std::string_view access_key_id) {
  const std::lock_guard guard(mutex_);
  return ask_locked(access_key_id);
}

std::string OwnIdentity::problem() {
  const std::lock_guard guard(mutex_);
  return lookup_ == nullptr ? "" : last_error();
}

tl::expected<std::string, aws::ServiceFailure> OwnIdentity::account_id() {
  if (!configured_account_.empty()) {
    return configured_account_;
  }
  const std::lock_guard guard(mutex_);
  if (const auto identity = ask_locked({})) {
    return identity->account_id;
  }
  if (lookup_ == nullptr || !lookup_->worth_waiting()) {
    return std::string();
  }
  aws::ServiceFailure failure = lookup_->last_failure().value_or(aws::ServiceFailure{});
  failure.message = "the account is not known yet: " + failure.message;
  return tl::unexpected(std::move(failure));
}

std::string OwnIdentity::last_error() const {
  return lookup_->last_failure() ? lookup_->last_failure()->message : "";
}

std::optional<aws::CallerIdentity> OwnIdentity::ask_locked(std::string_view access_key_id) {
  if (lookup_ == nullptr) {
    return std::nullopt;
  }
  std::optional<aws::CallerIdentity> identity = lookup_->poll(access_key_id);
  if (last_error() != logged_) {
    logged_ = last_error();
    if (!logged_.empty()) {
      spdlog::warn("{} not known yet: {}",
                   identity ? "whose the agent's new credentials are is" : "the account is",
                   logged_);
    }
  }
  return identity;
}

}  // namespace invlog::delivery

// Who invlog is at AWS: the account that the records are of, and the ARN behind the credentials.
// S3's layout needs the account, and it may not be known when the agent starts (no credentials yet,
// no network yet).
//
// Whether STS may be asked at all is aws::identity_endpoint()'s to say; when it is asked, is
// aws::CallerIdentityLookup's.
//
// Threads: any; while one asks, the others wait for its answer. Ownership: provider and `cancelled`
// must outlive it. Errors: nothing known is an ordinary outcome; why is kept, and logged once per
// cause.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "agent/config/agent_config.h"
#include "exporters/aws/caller_identity.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/aws/service_client.h"

namespace invlog::delivery {

class OwnIdentity {
 public:
  // `http` null: a client by configuration and environment.
  OwnIdentity(const config::AgentConfig& configuration, aws::CredentialsProvider& credentials,
              const aws::Environment& environment, const std::atomic<bool>* cancelled = nullptr,
              std::unique_ptr<aws::HttpClient> http = nullptr);

  // scheme://host of the STS that is asked, "" if none may be.
  std::string endpoint() const;
  // Asks if an attempt is due, which blocks for one call. What is known already is enough if it is
  // that of `access_key_id`, or that is "".
  std::optional<aws::CallerIdentity> ask(std::string_view access_key_id = {});
  // Why the last attempt gave nothing, "" if it did or none was made.
  std::string problem();

  // The configured account, else STS's answer; asks if an attempt is due. "": none may be asked, or
  // it does not say. The failure: it may say so in a moment, and what is delivered until then would
  // be filed under no account for good.
  tl::expected<std::string, aws::ServiceFailure> account_id();

 private:
  std::optional<aws::CallerIdentity> ask_locked(std::string_view access_key_id);
  std::string last_error() const;

  const std::string configured_account_;
  std::unique_ptr<aws::HttpClient> http_;
  std::unique_ptr<aws::ServiceClient> sts_;  // null: must not be asked
  std::mutex mutex_;                         // guards what follows, and the use of the clients
  std::unique_ptr<aws::CallerIdentityLookup> lookup_;
  std::string logged_;
};

}  // namespace invlog::delivery

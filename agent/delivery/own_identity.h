// Who invlog is at AWS: the account that the records are of, and the ARN behind the credentials.
// S3's layout needs the account, and it may not be known when the agent starts (no credentials yet,
// no network yet).
//
// Whether STS may be asked at all is aws::identity_endpoint()'s to say; when it is asked, is
// aws::CallerIdentityLookup's.
//
// Threads: any. While one asks, the others go on without. Ownership: provider and `cancelled` must
// outlive it. Errors: nothing known is an ordinary outcome; why is kept, and logged once per cause.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

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
  // Asks if an attempt is due, which blocks for one call; waits while another thread asks.
  std::optional<aws::CallerIdentity> ask();
  // Why the last attempt gave nothing, "" if it did or none was made.
  std::string problem();

  // The configured account, else STS's answer; "" as long as it is unknown. Asks if an attempt is
  // due and nobody else is asking.
  std::string account_id();

 private:
  std::optional<aws::CallerIdentity> ask_locked();

  const std::string configured_account_;
  std::unique_ptr<aws::HttpClient> http_;
  std::unique_ptr<aws::ServiceClient> sts_;  // null: must not be asked
  std::mutex mutex_;                         // guards what follows, and the use of the clients
  std::unique_ptr<aws::CallerIdentityLookup> lookup_;
  std::string logged_;
};

}  // namespace invlog::delivery

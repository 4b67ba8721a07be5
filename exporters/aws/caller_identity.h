// Who the agent is, by AWS's own account: the account's number and the identity's ARN, which
// records carry. Asked once for each key, by GetCallerIdentity, which needs no permission.
//
// A private set-up (a fake upstream, a compatible store) must never see this host call AWS by
// surprise: whether STS may be asked at all is decided here, too.
//
// Threads: one at a time; poll() blocks for one call when an attempt is due, and not at all
// otherwise. Ownership: the ServiceClient must outlive it. Errors: last_failure().
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/service_client.h"
#include "exporters/aws/sts.h"

namespace invlog::aws {

// The STS endpoint to ask who we are: the configured one ([aws] sts_endpoint,
// AWS_ENDPOINT_URL_STS), else the Region's own if `upstream` (a URL) is AWS's own Bedrock in that
// Region, else none.
std::optional<std::string> identity_endpoint(std::string_view upstream, std::string_view region,
                                             const std::string& sts_endpoint,
                                             const Environment& environment);

class CallerIdentityLookup {
 public:
  CallerIdentityLookup(ServiceClient& sts, SteadyClock clock = std::chrono::steady_clock::now,
                       std::function<double()> random = random_fraction);

  // The identity, once it is known. Until it is that of `access_key_id` (anybody's will do if that
  // is ""), asks if an attempt is due: at once, then after 1 s growing to 5 minutes; without
  // credentials, where nobody is asked, each second. Until the next answer it is the last one's.
  const std::optional<CallerIdentity>& poll(std::string_view access_key_id = {});
  // When poll() will ask next; no value: never, since the identity is known.
  std::optional<std::chrono::steady_clock::time_point> due() const;
  // Of the last attempt; none if it succeeded or none was made.
  const std::optional<ServiceFailure>& last_failure() const { return failure_; }
  // Whether it may be known in a moment, so that whoever would have to do without had better wait:
  // STS was not asked yet, or not answering for less than a minute. Without credentials always,
  // since nothing can be done without the identity that could be done with it.
  bool worth_waiting() const;

 private:
  bool knows(std::string_view access_key_id) const;
  void wait_longer();

  ServiceClient& sts_;
  const SteadyClock clock_;
  const std::function<double()> random_;
  std::optional<CallerIdentity> identity_;
  std::optional<ServiceFailure> failure_;
  std::optional<std::chrono::steady_clock::time_point> failing_since_;  // of calls that were made
  std::chrono::seconds wait_{0};
  std::chrono::steady_clock::time_point due_;
};

}  // namespace invlog::aws

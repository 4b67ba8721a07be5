// Asks Bedrock's control plane about inference profiles: ListInferenceProfiles and
// GetInferenceProfile. Needs the permissions of those names.
//
// Attempts that may succeed later are repeated here, a few times; what then remains is the
// caller's. What came before a failure is as good as if there had been none.
//
// Threads: one at a time; blocks. Ownership: the ServiceClient must outlive it. Errors: a
// ServiceFailure, with a line for a person.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/residency/profile.h"
#include "agent/residency/profile_answer.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/service_client.h"
#include "exporters/patient_caller.h"

namespace invlog::residency {

// Where the control plane is: [aws] bedrock_endpoint, else AWS_ENDPOINT_URL_BEDROCK, else the
// Region's own if the upstream is AWS's own Bedrock in that Region, else none: a private set-up
// must never see this host call AWS by surprise.
std::optional<std::string> profile_endpoint(const config::AgentConfig& configuration,
                                            const aws::Environment& environment);

// A client for the control plane at `endpoint`, to be given to ProfileClient.
aws::ServiceClientOptions profile_service_options(const std::string& region,
                                                  const std::string& endpoint);

struct ProfileClientOptions {
  // Waits before another attempt; false: give up now. Empty: no other attempts.
  std::function<bool(std::chrono::milliseconds)> wait;
  std::function<double()> random;       // [0, 1)
  std::function<std::int64_t()> clock;  // now, Unix µs
};

// What ListInferenceProfiles gave.
struct ProfileListing {
  std::vector<Profile> profiles;
  std::vector<std::string> problems;           // answers that made no sense, a line each
  std::optional<aws::ServiceFailure> failure;  // why this is not all
};

class ProfileClient {
 public:
  ProfileClient(aws::ServiceClient& bedrock, ProfileClientOptions options);

  // System and application profiles.
  ProfileListing list();
  // `identifier`: an id or an ARN.
  tl::expected<Profile, aws::ServiceFailure> get(std::string_view identifier);

 private:
  bool list_type(std::string_view type, ProfileListing& listing);
  aws::ServiceResult call(const aws::ServiceRequest& request);
  AnswerContext context() const;

  aws::ServiceClient& bedrock_;
  const std::function<std::int64_t()> clock_;
  exporters::PatientCaller caller_;
};

}  // namespace invlog::residency

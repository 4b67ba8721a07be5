// The single checks of `invlog doctor`, each adding its findings to a diagnosis.
//
// Thread: the caller's; they block for calls. Errors: findings.
#pragma once

#include <optional>
#include <string>

#include "agent/cli/diagnosis.h"
#include "agent/cli/doctor_command.h"
#include "agent/delivery/own_identity.h"
#include "storage/reader.h"

namespace invlog::cli {

// The store, if there is one, and the place where it is or will be. `path`: of the store.
struct StoreFindings {
  std::optional<storage::StoreInformation> information;  // none: there is no store yet
  std::string instance;                                  // "" unknown
};
StoreFindings check_store(const DoctorOptions& options, const std::string& path,
                          const std::string& state_dir, Diagnosis& diagnosis);

// What each link of the chain said. `needed`: something is configured that cannot do without.
// `service_told`: there is a finding "service" of what the service has besides. False: there are
// none.
bool check_credentials(aws::CredentialsProvider& credentials, bool needed, bool service_told,
                       std::chrono::system_clock::time_point now, Diagnosis& diagnosis);

// As whom. `expected_account`: "" any. The identity if it is known.
std::optional<aws::CallerIdentity> check_identity(delivery::OwnIdentity& identity,
                                                  const std::string& expected_account,
                                                  Diagnosis& diagnosis);

// Whether Bedrock answers, and what its clock says. False: it cannot be reached.
bool check_upstream(const config::AgentConfig& configuration, aws::HttpClient& http,
                    const aws::SystemClock& clock, Diagnosis& diagnosis);
// Whether these credentials may call models.
void check_bedrock(const config::AgentConfig& configuration, aws::HttpClient& http,
                   aws::CredentialsProvider& credentials, const aws::SystemClock& clock,
                   Diagnosis& diagnosis);

// Whether these credentials may ask which Regions an inference profile has. Without, the agent
// goes by its built-in table: no failure.
void check_profiles(const config::AgentConfig& configuration, const aws::Environment& environment,
                    aws::HttpClient& http, aws::CredentialsProvider& credentials,
                    const aws::SystemClock& clock, Diagnosis& diagnosis);

// Region and permissions. `arn`: who is to be allowed what is missing, "" unknown.
void check_destination(exporters::Destination& destination, const exporters::Origin& origin,
                       bool write, const std::string& arn, Diagnosis& diagnosis);

}  // namespace invlog::cli

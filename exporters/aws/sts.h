// The three calls of AWS STS that invlog makes. Source: facts/aws-delivery.md §6; sts
// service-2.json. Always the Region's own endpoint (sts.<region>.<suffix>), never the global one.
//
// Threads: as the ServiceClient given. Errors: results.
#pragma once

#include <chrono>
#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/service_client.h"

namespace invlog::aws {

struct CallerIdentity {
  std::string account_id;  // 12 digits
  std::string arn;
  std::string access_key_id;  // of the credentials whose identity it is
};

struct AssumeRoleRequest {
  std::string role_arn;
  std::string session_name;          // 2 to 64 of [\w+=,.@-]
  std::string external_id;           // "" none
  std::string web_identity_token;    // AssumeRoleWithWebIdentity, unsigned; "": AssumeRole, signed
  std::chrono::seconds duration{0};  // 0: the service's default
};

tl::expected<CallerIdentity, ServiceFailure> get_caller_identity(ServiceClient& sts);
// The credentials have no `source`.
tl::expected<Credentials, ServiceFailure> assume_role(ServiceClient& sts,
                                                      const AssumeRoleRequest& request);

}  // namespace invlog::aws

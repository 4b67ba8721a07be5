// What a profile says to do for its credentials: a beginning (static keys, a process, a web
// identity, the environment, a container, IMDS), then the roles to assume one by the other. Source:
// AWS SDKs and Tools Reference Guide, "Assume role credential provider"; botocore credentials.py
// (AssumeRoleProvider); facts/aws-delivery.md §6.2.
//
// Values and a pure function; any thread. Errors: results with file and line, the profile, the key
// and what to do; never a secret.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "exporters/aws/profile_files.h"
#include "exporters/aws/role_settings.h"

namespace invlog::aws {

struct ProfileStep {
  enum class Kind { keys, process, web_identity, credential_source, role };

  Kind kind = Kind::keys;
  std::string profile;                                                // that says it
  std::string access_key_id, secret_access_key, session_token, path;  // keys, and their file
  std::string text;   // the process's command, the token's file, or the credential source's name
  RoleSettings role;  // web_identity, role

  bool operator==(const ProfileStep&) const = default;
};

// From the beginning to the last role. Empty: the profile says nothing about credentials, or is not
// there.
using ProfilePlan = std::vector<ProfileStep>;

struct PlanOptions {
  std::string profile = "default";
  bool must_exist = false;  // somebody asked for this profile: that there is none is an error
  bool must_give = false;   // no other link is asked: that it says nothing is an error, too
  std::string role_session_name = "invlog";  // where a profile has none
};

tl::expected<ProfilePlan, std::string> plan_profile(const ProfileFiles& files,
                                                    const PlanOptions& options);

}  // namespace invlog::aws

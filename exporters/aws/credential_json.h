// The JSON in which credentials come from a credential_process, a container's agent and IMDS.
// Source: AWS SDKs and Tools Reference Guide, "Process credential provider", "Container credential
// provider", "IMDS credential provider"; facts/aws-delivery.md §6.2.
//
// A pure function; any thread. Errors: results that name the member and what is wrong with it;
// never a value, but for the service's own Code and Message.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/credentials.h"

namespace invlog::aws {

enum class CredentialJsonForm {
  process,    // Version (must be 1), SessionToken
  container,  // Token
  imds        // Token, Code (must be Success)
};

// The credentials have no `source`.
tl::expected<Credentials, std::string> parse_credential_json(std::string_view json,
                                                             CredentialJsonForm form);

// What a service's error answer says of itself, fit for a message: its JSON members code and
// message; "" if there are none.
std::string error_in_json(std::string_view json);

}  // namespace invlog::aws

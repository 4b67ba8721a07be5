// What a program of this host needs in its environment to call Bedrock through the agent, and how
// that is written for those who set it. Sources: AWS SDKs and Tools Reference Guide,
// "Service-specific endpoints"; the READMEs of Anthropic's and OpenAI's SDKs; systemd.exec(5),
// "EnvironmentFile="; docker run, "--env-file".
//
// Values and pure functions; any thread. Errors: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/aws/credentials.h"

namespace invlog::cli {

// Where a program reaches the agent by TCP; what has only a Unix socket cannot stand in a URL.
struct AgentEndpoint {
  std::string host;  // an IP address or a name, without brackets
  std::uint16_t port = 0;

  std::string address() const;  // "127.0.0.1:4180", "[::1]:4180"
  std::string url() const { return "http://" + address(); }
  bool operator==(const AgentEndpoint&) const = default;
};

struct ProgramVariable {
  std::string name, value;
  bool unset = false;  // it must not be there
  bool operator==(const ProgramVariable&) const = default;
};
using ProgramVariables = std::vector<ProgramVariable>;

// What proxy mode needs (proxy_environment.h).
struct ProxyAccess {
  AgentEndpoint endpoint;          // where CONNECT goes
  std::string ca_file;             // the local authority's certificate, to be trusted besides
  std::string bundle_file;         // with the system's, to be trusted instead
  std::vector<std::string> hosts;  // that the agent answers for, and what is below them
};

struct ProgramNeeds {
  AgentEndpoint endpoint;
  std::string region;   // for a program that says none; "" leave it alone
  bool openai = false;  // lead OpenAI's SDK to Bedrock too, away from OpenAI
  std::optional<ProxyAccess> proxy = std::nullopt;  // by proxy mode, instead of by an endpoint
  bool ignores_endpoints = false;  // the program's profile says so, which the environment overrules
};

// With "true" AWS SDKs overlook every endpoint that the environment or a profile names.
inline constexpr const char* kIgnoreEndpoints = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS";
// As SDKs read it.
bool says_true(std::string text);

// What to set in an environment that has `present`. No proxy may come between a program and an
// endpoint: where one is set, NO_PROXY keeps what it has and gains the agent's host.
ProgramVariables program_variables(const ProgramNeeds& needs, const aws::Environment& present);

// What NO_PROXY or no_proxy has in it.
std::vector<std::string> no_proxy_entries(const std::string& no_proxy);

// What in `present` keeps programs from the agent in endpoint mode, whatever is set
// beside it; "" nothing.
std::string environment_problem(const aws::Environment& present);

enum class VariableFormat {
  sh,       // export NAME='value' or unset NAME, for eval
  systemd,  // NAME=value or NAME="value", for EnvironmentFile=
  docker,   // NAME=value as it is, for --env-file
  json      // one object; null for what must not be there
};
// What must not be there cannot be said to systemd or docker, which start from nothing.
std::string variables_text(const ProgramVariables& variables, VariableFormat format);

}  // namespace invlog::cli

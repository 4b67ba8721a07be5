// What the links of the credential chain need from outside: the environment, HTTP, clocks, chance,
// and a way to wait. A plain value; each link copies what it uses. What `cancelled` points to must
// outlive the links.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"

namespace invlog::aws {

// Makes a client of one link's own, when the link first needs it.
using HttpClientFactory = std::function<std::unique_ptr<HttpClient>()>;

// In [0, 1), from a generator that was seeded by the system; any thread.
double random_fraction();

struct ChainOptions {
  Environment environment = process_environment();
  std::string profile;       // named by configuration, "": AWS_PROFILE or [default]
  std::string region;        // of STS, "": AWS_REGION or AWS_DEFAULT_REGION
  std::string sts_endpoint;  // scheme://host[:port], "": AWS_ENDPOINT_URL_STS or the Region's own
  // Of assumed roles where nothing names one; the records' identity.arn and CloudTrail show it.
  std::string role_session_name = "invlog";
  HttpClientFactory http;  // empty: links that need it fail
  SystemClock system_clock = std::chrono::system_clock::now;
  SteadyClock steady_clock = std::chrono::steady_clock::now;
  std::function<double()> random = random_fraction;
  std::function<void(std::chrono::milliseconds)> sleep;  // empty: sleeps, until `cancelled`
  std::chrono::milliseconds process_timeout{30000};      // of a credential_process
  // Once it is true, links end waiting and answer with an error. May be null.
  const std::atomic<bool>* cancelled = nullptr;
};

// Waits by options.sleep. False: cancelled meanwhile.
bool wait_between_tries(const ChainOptions& options, std::chrono::milliseconds duration);

// The session name of a role that this host assumes: "invlog-<host>", with what STS does not take
// in a name replaced by '-', at most 64 characters.
std::string role_session_name_of_host(const std::string& host);

}  // namespace invlog::aws

// How invlog's own calls of AWS are made, by configuration and environment: HTTP clients and the
// credential chain that capture, delivery and the commands share.
//
// Threads: any. Ownership: `cancelled` must outlive what is made. Errors: none here.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "agent/config/agent_config.h"
#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"

namespace invlog::delivery {

// What every client of AWS's services is made with; `cancelled` may be null.
aws::HttpClientOptions http_client_options(const config::AwsConfig& configuration,
                                           const aws::Environment& environment,
                                           const std::atomic<bool>* cancelled = nullptr);

// A client for AWS's endpoints: trusts [aws] ca_bundle, else AWS_CA_BUNDLE, else the system.
std::unique_ptr<aws::HttpClient> make_http_client(const config::AwsConfig& configuration,
                                                  const aws::Environment& environment,
                                                  const std::atomic<bool>* cancelled = nullptr);

std::unique_ptr<aws::CredentialsProvider> make_credentials(
    const config::AgentConfig& configuration, const aws::Environment& environment,
    const std::atomic<bool>* cancelled = nullptr);

// The Region of the EC2 instance that this host is, "" if it is none; blocks as
// aws::instance_region() does.
std::string region_of_instance(const aws::Environment& environment);

// This host's name, as records and log streams show it.
std::string host_name();

}  // namespace invlog::delivery

// Which log group and streams a host writes to, and by which endpoint: names and the part of the
// Region guard that needs no call.
//
// Values and pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/service_failure.h"
#include "exporters/cloudwatch_logs/cloudwatch_logs_options.h"

namespace invlog::exporters {

struct LogTarget {
  std::string group;
  std::string stream;            // with the host, if configured
  std::string integrity_stream;  // where chain heads go: kIntegritySuffix behind it
};

// `host`: this host's name, used with host_suffix; ':' and '*', which a stream's name cannot have,
// become '-'.
LogTarget log_target(const CloudWatchLogsOptions& options, const std::string& host);

// The endpoint to call: the configured one, else AWS's own for the Region over HTTPS.
std::string logs_endpoint(const CloudWatchLogsOptions& options);

// Refuses (`rejected`) names and a retention that the service would not take, and (`redirected`) an
// endpoint that names another Region or that nobody vouches for.
tl::expected<void, aws::ServiceFailure> check_target(const CloudWatchLogsOptions& options,
                                                     const LogTarget& target);

}  // namespace invlog::exporters

// Whether records may go to an endpoint that somebody configured: what the configuration is refused
// for when it is read, and deliveries once more before the first byte.
//
// Pure functions; any thread; never throw but for lack of memory. Errors: results.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "exporters/aws/service_failure.h"

namespace invlog::exporters {

struct EndpointJudgement {
  enum class Kind {
    malformed,  // not http(s)://host[:port]
    elsewhere,  // of another Region
    unbound,    // AWS's, but of no Region, or leading to any
    own,        // AWS's own for the Region
    custom      // anybody's: nobody can tell where it keeps its data
  };
  Kind kind = Kind::malformed;
  std::string region;  // that its name shows, "" none
};

// `service`: as its host names begin, "s3", "logs". `region`: the source Region.
EndpointJudgement judge_endpoint(std::string_view service, std::string_view endpoint,
                                 std::string_view region);

// Refuses all that is neither own nor custom, and what nobody vouches for. `table`: where it is
// configured, for people: "exporters.s3".
tl::expected<void, aws::ServiceFailure> check_endpoint(std::string_view service,
                                                       std::string_view table,
                                                       const std::string& endpoint,
                                                       const std::string& region,
                                                       bool region_attested);

}  // namespace invlog::exporters

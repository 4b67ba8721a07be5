// What an endpoint's host name says about where it is.
//
// Pure functions; any thread; never throw but for lack of memory.
#pragma once

#include <string>
#include <string_view>

namespace invlog::exporters {

// The host of "scheme://host[:port]" in lower case, IPv6 addresses without brackets; "" if
// `endpoint` has not this form (another scheme, user information, a path, a query).
std::string host_of_endpoint(std::string_view endpoint);

bool is_ip_address(std::string_view host);

// Whether this is a name of AWS's own, in any partition.
bool is_aws_host(std::string_view host);

// The Region that the name of a service's endpoint shows; "" if it shows none, as the global
// endpoints do. For AWS's own names dual-stack, FIPS, VPC endpoint and the old s3-<region> forms
// too; for others <service>.<region>. as compatible stores write it.
std::string region_of_host(std::string_view service, std::string_view host);

}  // namespace invlog::exporters

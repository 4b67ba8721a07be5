// Regions, their partitions, and the host names of AWS's services in them. Source: botocore's
// partitions.json and the services' endpoint rule sets (facts/aws-delivery.md §2).
//
// Pure functions; any thread; never throw.
#pragma once

#include <string>
#include <string_view>

namespace invlog::aws {

// Whether `text` has a Region's form: eu-central-1, us-gov-west-1, eusc-de-east-1. New Regions need
// no new release, so there is no list of them.
bool is_region_name(std::string_view text);

// "aws", "aws-cn", "aws-eusc", "aws-us-gov", "aws-iso", ...
std::string_view partition_of(std::string_view region);

// "amazonaws.com", "amazonaws.com.cn", "amazonaws.eu", ...
std::string_view domain_suffix_of(std::string_view region);

// The same of dual-stack endpoints: "api.aws", "api.amazonwebservices.com.cn", ...
std::string_view dual_stack_suffix_of(std::string_view region);

// Which of all partitions' suffixes a host name (lower case, no final dot) ends with, as whole
// labels; "" none.
std::string_view aws_domain_of(std::string_view host);

// The Region that one label of an AWS host name is, also in S3's older forms s3-REGION and
// s3-fips-REGION; "" none.
std::string_view region_in_label(std::string_view label);

// bedrock-runtime.eu-central-1.amazonaws.com
std::string service_host(std::string_view service, std::string_view region);

// The Region in an AWS host name of this service, its FIPS and VPC endpoints included; "" if the
// name shows none.
std::string_view region_in_host(std::string_view service, std::string_view host);

// Whether a URL is AWS's own endpoint of this service in this Region, FIPS and VPC endpoints
// included, over TLS: a private set-up (a fake upstream, a compatible store) is none.
bool is_own_endpoint(std::string_view service, std::string_view url, std::string_view region);

}  // namespace invlog::aws

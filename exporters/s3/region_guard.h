// Proves that a bucket is in the source Region before the first byte of a record goes there
// (DESIGN.md, promise 2). What cannot be proven is refused.
//
// The proof is HeadBucket's x-amz-bucket-region, which AWS gives whatever the caller may do with
// the bucket (facts/aws-delivery.md §2): the agent needs no permission for it, and 403 proves as
// well as 200. Behind a custom endpoint somebody must vouch for the Region (region_attested), since
// no answer of such a server proves anything; but an answer that contradicts is believed.
//
// Threads: as the client's. Errors: results. FailureKind::redirected means "elsewhere, or leads
// elsewhere".
#pragma once

#include <tl/expected.hpp>

#include "exporters/aws/service_failure.h"
#include "exporters/s3/s3_client.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

// Whether AWS itself answers there, so that its headers can be relied on.
bool is_aws_endpoint(const S3Options& options);

// What the configuration alone shows: a bucket that is no plain name, an endpoint of nowhere or of
// another Region. Sends nothing.
tl::expected<void, aws::ServiceFailure> check_target(const S3Options& options);

// check_target() and HeadBucket.
tl::expected<void, aws::ServiceFailure> prove_region(S3Client& client);

}  // namespace invlog::exporters

// S3 as a destination: AWS's own layout of Model Invocation Logging in a bucket of the source
// Region (object_layout.h), each record exactly once in effect, since whatever is sent again
// replaces itself.
//
// S3 takes every record: a refusal ("rejected") is about the configuration, so there are no dead
// letters but records that cannot be read.
//
// Threads: one, its Shipper's. Ownership: HttpClient and provider must outlive it. Errors: results;
// messages name bucket and key.
#pragma once

#include <memory>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/aws/service_client.h"
#include "exporters/destination.h"
#include "exporters/patient_caller.h"
#include "exporters/s3/s3_options.h"

namespace invlog::exporters {

// `clock` is for signatures; empty: the system's. `times`: for what is tried again at once, which
// is kept_heads() alone.
//
// target() is bucket and endpoint without the prefix: a batch under way keeps the prefix that its
// plan says, so a new prefix is no new target. Nor is a new endpoint, if both are AWS's or both are
// not.
//
// prove() needs Origin's account id, which is a folder's name, before anything goes to AWS itself
// (FailureKind::credentials until it is known); behind a custom endpoint that folder is "unknown".
std::unique_ptr<Destination> s3_destination(S3Options options, aws::HttpClient& http,
                                            aws::CredentialsProvider& credentials,
                                            aws::SystemClock clock = {}, CallTimes times = {});

}  // namespace invlog::exporters

// Why a call of an AWS service did not succeed, in the terms on which its caller decides: try
// again, slow down, fetch credentials, or give up. Codes and classes: facts/aws-delivery.md §1, §2.
//
// A value. `message` is one line for a person and names the service, the operation's path or
// target, and the cause; it never holds a credential or a signature.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "exporters/aws/http_client.h"

namespace invlog::aws {

enum class FailureKind {
  transient,  // network, 5xx, RequestTimeout, a 4xx without a code: the same call may succeed later
  throttled,  // the service asks for a slower pace
  credentials,  // none, expired, or not known to the service
  clock,        // this host's clock is off by more than the service takes
  denied,       // AccessDenied: a permission is missing
  redirected,   // 301, 307, a wrong Region: never followed
  not_found,    // the bucket, group or stream does not exist
  conflict,     // exists already (ResourceAlreadyExists, 409, 412)
  rejected,     // the request itself: it will never succeed as it is
  cancelled     // shutdown
};

// "throttled", ...
const char* name_of(FailureKind kind);

struct ServiceFailure {
  FailureKind kind = FailureKind::transient;
  int status = 0;       // HTTP, 0 if no response came
  std::string code;     // "ThrottlingException", "SlowDown", "" if the service gave none
  std::string message;  // for a person
  std::optional<std::chrono::milliseconds> retry_after;  // as the service asked
  bool no_credentials = false;  // the call was not made: there are none to sign it with
  std::string region;           // that the service named (x-amz-bucket-region, <Region>), "" none
};

// Whether the same call may succeed later without anybody doing anything.
bool passes_by_itself(FailureKind kind);

// From the failure of the exchange; `what` names the call ("PutObject s3://bucket/key").
ServiceFailure failure_of(const HttpFailure& failure, const std::string& what);
// From a response that is no success: JSON (`__type`, x-amzn-errortype) or XML (<Code>, <Message>,
// <Region>) body, or neither.
ServiceFailure failure_of(const HttpResponse& response, const std::string& what);

}  // namespace invlog::aws

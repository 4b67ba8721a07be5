// Turns a finished call into the record that is stored: decodes content coding, assembles event
// streams and SSE, reads token counts, stop reason and error code. Facts: bedrock.md §1-§3;
// DESIGN.md "The record".
//
// Thread: the writer's (or any; no shared state). Never throws for what a client or the service
// sent: what cannot be understood is kept as it is and said in `details`.
#pragma once

#include "agent/bedrock/invocation.h"
#include "storage/record.h"

namespace invlog::bedrock {

storage::Record build_record(Invocation invocation);
// The same; moves the bodies out of `invocation`, and leaves it to the caller to destroy the rest.
storage::Record take_record(Invocation& invocation);

}  // namespace invlog::bedrock

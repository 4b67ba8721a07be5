#include "agent/capture/pending_invocation.h"

#include "agent/bedrock/record_builder.h"

namespace invlog::capture {

storage::Record PendingInvocation::build() {
  return bedrock::take_record(invocation_);
}

}  // namespace invlog::capture

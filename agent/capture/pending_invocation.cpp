#include "agent/capture/pending_invocation.h"

#include "agent/bedrock/privacy_filter.h"
#include "agent/bedrock/record_builder.h"

namespace invlog::capture {

storage::Record PendingInvocation::build() {
  storage::Record record = bedrock::take_record(invocation_);
  if (privacy_) {
    privacy_->apply(record);
  }
  return record;
}

}  // namespace invlog::capture

// An Invocation on its way to the store: it becomes a record on the writer's thread, so that
// parsing costs the call nothing.
#pragma once

#include <utility>

#include "agent/bedrock/invocation.h"
#include "storage/writer.h"

namespace invlog::capture {

class PendingInvocation : public storage::PendingRecord {
 public:
  explicit PendingInvocation(bedrock::Invocation invocation)
      : invocation_(std::move(invocation)), bytes_(invocation_.memory_bytes()) {}
  std::size_t memory_bytes() const override { return bytes_; }
  storage::Record build() override;

 private:
  bedrock::Invocation invocation_;
  std::size_t bytes_;
};

}  // namespace invlog::capture

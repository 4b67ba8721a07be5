// An Invocation on its way to the store: it becomes a record on the writer's thread, so that
// parsing costs the call nothing. What must not be kept of it goes there, too, before anything is
// stored.
#pragma once

#include <memory>
#include <utility>

#include "agent/bedrock/invocation.h"
#include "storage/writer.h"

namespace invlog::bedrock {
class PrivacyFilter;
}

namespace invlog::capture {

class PendingInvocation : public storage::PendingRecord {
 public:
  using Privacy = std::shared_ptr<const bedrock::PrivacyFilter>;

  // `privacy`: null if everything is kept.
  PendingInvocation(bedrock::Invocation invocation, Privacy privacy)
      : invocation_(std::move(invocation)),
        bytes_(invocation_.memory_bytes()),
        privacy_(std::move(privacy)) {}
  std::size_t memory_bytes() const override { return bytes_; }
  storage::Record build() override;

 private:
  bedrock::Invocation invocation_;
  std::size_t bytes_;
  Privacy privacy_;
};

}  // namespace invlog::capture

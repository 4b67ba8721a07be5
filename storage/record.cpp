#include "storage/record.h"

namespace invlog::storage {

std::size_t Record::memory_bytes() const {
  std::size_t total = sizeof(Record);
  for (const std::string* text : {&operation,
                                  &model_id,
                                  &profile,
                                  &scope,
                                  &decision,
                                  &destinations,
                                  &inference_region,
                                  &request_id,
                                  &sdk_invocation_id,
                                  &outcome,
                                  &error_code,
                                  &stop_reason,
                                  &identity_arn,
                                  &caller,
                                  &caller_executable,
                                  &request_metadata,
                                  &details,
                                  &request.bytes,
                                  &request.content_type,
                                  &response.bytes,
                                  &response.content_type}) {
    total += text->capacity();
  }
  return total;
}

}  // namespace invlog::storage

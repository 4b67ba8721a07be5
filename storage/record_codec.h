// A whole Record as one compressed blob, for the `intent` table: a request that is on record before
// it is forwarded.
//
// Pure functions; any thread. Errors: both throw StoreError; decode_record for a blob that
// encode_record did not make.
#pragma once

#include <string>
#include <string_view>

#include "storage/record.h"

namespace invlog::storage {

std::string encode_record(const Record& record);
Record decode_record(std::string_view bytes);

}  // namespace invlog::storage

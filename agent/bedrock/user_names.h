// The name of a Unix user, for the record's `caller`.
//
// Why a cache: a lookup reads /etc/passwd or asks a directory server, and thousands of calls a
// second come from the same few users. A name is looked up once per thread and process; a user
// renamed later shows under the old name until restart. At most 256 are kept.
//
// Thread: any; each has its own cache. Errors: none; a user without a name shows as the number.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::bedrock {

std::string user_name(std::uint32_t uid);

}  // namespace invlog::bedrock

// Which known name a misspelt one was probably meant to be.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace invlog::config {

// The known name with the fewest changed, missing, added or swapped letters, if they are few for
// its length; of several one that has the same letters. Else "". Pure; any thread.
std::string nearest_name(std::string_view name, const std::vector<std::string_view>& known);

}  // namespace invlog::config

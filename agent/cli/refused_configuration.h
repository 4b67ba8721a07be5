// A configuration that is refused leaves a row in the store's `event` table: whoever reads the
// records later sees that something else was once asked for, such as a bucket in another Region.
//
// Any thread. Errors: none; where there is no store, or it cannot be written, there is no row.
#pragma once

#include <string>

namespace invlog::cli {

// An event `configuration-refused` with the reason, as it was said to the user.
void note_refused_configuration(const std::string& store_path, const std::string& reason);

}  // namespace invlog::cli

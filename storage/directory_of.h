// The directory that a path's file is in.
//
// Pure; any thread.
#pragma once

#include <string>

namespace invlog::storage {

// With its slash at the end; "./" for a name alone.
inline std::string directory_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

}  // namespace invlog::storage

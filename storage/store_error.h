// What storage throws: one clear line saying what, where and what to do.
#pragma once

#include <stdexcept>

namespace invlog::storage {

class StoreError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace invlog::storage

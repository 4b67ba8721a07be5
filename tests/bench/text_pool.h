// English-like text for the bodies of bench calls: compresses about as prose does, and does not
// repeat within the window of the store's compressor, so that a recorder has real work to do.
//
// Thread: one pool per thread. Ownership: what take() returns points into the pool and lives as
// long as it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::bench {

class TextPool {
 public:
  // `bytes` of text, the same on every run. Lower-case letters and spaces only: needs no escaping
  // in JSON.
  explicit TextPool(std::size_t bytes);

  // The next `bytes` of the text, which begins again at its end; at most half of the pool at a
  // time.
  std::string_view take(std::size_t bytes);

 private:
  std::string text_;
  std::size_t next_ = 0;
};

}  // namespace invlog::bench

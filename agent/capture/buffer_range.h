// A buffer sequence over an array that lives elsewhere.
#pragma once

#include <boost/asio/buffer.hpp>

namespace invlog::capture {

struct BufferRange {
  using value_type = boost::asio::const_buffer;
  using const_iterator = const boost::asio::const_buffer*;
  const_iterator first, last;
  const_iterator begin() const { return first; }
  const_iterator end() const { return last; }
};

}  // namespace invlog::capture

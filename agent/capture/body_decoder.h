// A request's body without its content codings, for the policy that must see the model in it. On a
// helper thread: 64 MiB that come out of a few kilobytes take longer than other calls may be kept
// waiting.
//
// Thread: the I/O thread; the decoding runs on the helper's, one body at a time. Ownership: the
// helper must outlive this and be joined before the loop is destroyed. Errors: a body that cannot
// be decoded, or is too long when it is, is none.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <string>

#include "agent/capture/event.h"

namespace invlog::capture {

class BodyDecoder {
 public:
  BodyDecoder(Executor executor, asio::thread_pool& helper)
      : executor_(executor), helper_(helper) {}

  // `coding` is a Content-Encoding; `most` are bytes. `body` is the decoder's until this returns.
  // "" if it cannot be decoded.
  Task<std::string> decode(std::string coding, std::string& body, std::size_t most);

 private:
  Executor executor_;
  asio::thread_pool& helper_;
};

}  // namespace invlog::capture

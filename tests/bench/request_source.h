// The requests that the load client sends: Converse calls with the headers that an AWS SDK sends,
// each with its own body and SDK invocation id.
//
// Two kinds of body, because a recorder's work depends on it:
//   unique        nothing in the body was seen before, apart from the few bytes of JSON around the
//   text conversation  an agent's: the same earlier messages again, and about 2 KB that are new;
//   after 40 calls another one
// A body shorter than 8 KB is unique in either case.
//
// Thread: one source per connection, one TextPool per thread. Ownership: next() gives views that
// are good until the following next(). Errors: std::invalid_argument for a body size too small to
// hold the JSON.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tests/bench/text_pool.h"

namespace invlog::bench {

struct RequestOptions {
  std::string host;               // for the Host header
  std::string target;             // request target
  std::size_t body_bytes = 1024;  // exactly
  bool conversation = true;
};

class RequestSource {
 public:
  static constexpr std::size_t kParts = 5;
  using Parts = std::array<std::string_view, kParts>;

  RequestSource(RequestOptions options, TextPool& pool, std::uint32_t connection);
  // Head and body of the next request, to be sent one after the other.
  Parts next();

 private:
  void begin_conversation();

  RequestOptions options_;
  TextPool& pool_;
  std::uint32_t connection_;
  std::uint64_t calls_ = 0;
  std::size_t new_text_bytes_ = 0;  // in each call
  std::string head_, head_start_;
  std::string earlier_;  // the body up to the new text
  std::string stamp_;
};

}  // namespace invlog::bench

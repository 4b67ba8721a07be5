// Reads one HTTP/1.1 message after another from a byte stream: just enough for the bench's own
// upstream and client, whose peers are well behaved, and cheap, so that what is measured is the
// proxy between them.
//
// Thread: none of its own; one reader per connection. Ownership: copies the head, never a body.
// Errors: a message that is not HTTP/1.1 as those peers speak it sets failed() for good; nothing is
// thrown.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace invlog::bench {

class HttpReader {
 public:
  enum class Kind { request, response };
  // Called with each part of a body, transfer coding removed.
  using BodyPart = std::function<void(std::string_view)>;

  explicit HttpReader(Kind kind) : kind_(kind) {}

  // Takes bytes up to the end of the current message and returns how many it took. Once complete()
  // it takes none until next_message().
  std::size_t feed(std::string_view bytes, const BodyPart& body_part);
  void next_message();

  bool complete() const { return state_ == State::complete; }
  bool failed() const { return state_ == State::failed; }
  bool started() const { return !head_.empty(); }
  // Start line and header fields, with the empty line. Whole once a body part or complete() was
  // seen.
  const std::string& head() const { return head_; }
  std::string_view target() const;  // of a request
  int status() const;               // of a response
  // "" if absent; `name` in lower case.
  std::string_view header(std::string_view name) const;
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  enum class State {
    head,
    sized_body,
    chunk_size,
    chunk_data,
    chunk_end,
    trailer,
    complete,
    failed
  };

  std::size_t feed_head(std::string_view bytes);
  std::size_t feed_line(std::string_view bytes);
  std::size_t feed_data(std::string_view bytes, const BodyPart& body_part);
  void head_arrived();
  void line_arrived();

  Kind kind_;
  State state_ = State::head;
  std::string head_;
  std::string line_;             // of the chunked coding, while it is incomplete
  std::uint64_t remaining_ = 0;  // of the sized body or the chunk
  std::uint64_t body_bytes_ = 0;
};

}  // namespace invlog::bench

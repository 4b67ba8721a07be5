// The frames of a ConverseStream response (application/vnd.amazon.eventstream), as Bedrock sends
// them: made by the bench's upstream and read by its client. Facts: bedrock.md §2.5 and §3, where
// the layout and the CRCs are described.
//
// Pure functions and a small reader; any thread. Errors: see FrameReader::feed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace invlog::bench {

// One frame with the three headers of a Bedrock event and a JSON payload.
std::string event_frame(std::string_view event_type, std::string_view payload);

// A text delta whose text begins with `sent_us` in 16 digits: the reader's clock tells how long the
// frame was under way.
std::string stamped_delta(std::int64_t sent_us, std::string_view text);
// The stamp in a payload, -1 if it has none.
std::int64_t stamp_of(std::string_view payload);

// Cuts a stream into frames.
class FrameReader {
 public:
  // Calls `payload` for every frame that is whole now. False if the bytes are no event stream
  // (length out of range); the CRCs are not checked: the bench's client must cost little.
  bool feed(std::string_view bytes, const std::function<void(std::string_view)>& payload);
  // No part of a frame is left over.
  bool at_boundary() const { return buffer_.empty(); }

 private:
  std::string buffer_;
};

}  // namespace invlog::bench

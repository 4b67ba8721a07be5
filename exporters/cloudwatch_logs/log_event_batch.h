// The events of one PutLogEvents call: keeps the service's limits and its order, and makes the
// request's body.
//
// Limits (facts/aws-delivery.md §1): 1 to 10,000 events; 1,048,576 bytes, counted as the UTF-8
// messages and 26 for each event; at most 24 h from the first timestamp to the last; sorted by
// timestamp. Records come in the order in which calls ended, so they are sorted here, those of one
// millisecond in the order in which they came. What a limit counts is the message; its escaped
// form, which is kept, is larger by the quotes in it, so a batch takes 2 to 4 MiB of memory.
//
// Threads: one. Errors: none but a lack of memory; what does not fit is not added.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace invlog::exporters {

inline constexpr std::size_t kMaximumBatchBytes = 1'048'576;
inline constexpr std::size_t kMaximumBatchEvents = 10'000;
inline constexpr std::size_t kEventOverheadBytes = 26;
inline constexpr std::size_t kMaximumMessageBytes = kMaximumBatchBytes - kEventOverheadBytes;
inline constexpr std::int64_t kMaximumBatchSpanMs = 24LL * 60 * 60 * 1000;

class LogEventBatch {
 public:
  // `batch_bytes`, as the service counts, is when a batch is large enough; at most
  // kMaximumBatchBytes. A single event may be larger than that, up to kMaximumMessageBytes.
  explicit LogEventBatch(std::size_t batch_bytes = kMaximumBatchBytes);

  // False, and not added, if a limit would be broken. `message` is UTF-8, 1 to kMaximumMessageBytes
  // bytes. `timestamp_ms` is Unix time; a time before 1970, which the service does not know,
  // becomes 1970.
  bool add(std::int64_t record, std::int64_t timestamp_ms, std::string_view message);

  std::size_t events() const { return events_.size(); }
  std::size_t message_bytes() const { return message_bytes_; }
  // As the service counts.
  std::size_t bytes() const { return message_bytes_ + events_.size() * kEventOverheadBytes; }
  // Not even an event of one byte would fit.
  bool full() const;

  struct Event {
    std::int64_t record = 0;
    std::int64_t timestamp_ms = 0;
    std::size_t offset = 0, length = 0;  // in the text of all events
  };
  // Sorts, and gives the request's body; nothing may be added afterwards. The texts are let go.
  std::string take_request(std::string_view group, std::string_view stream);
  // After take_request(): the events in the order in which they are sent.
  const std::vector<Event>& sent_order() const { return events_; }
  // Leaves only `count` events (at least 1) from number `first` (from 0) on: `body`,
  // take_request()'s, without the others.
  std::string keep(std::string_view body, std::size_t first, std::size_t count);

 private:
  const std::size_t batch_bytes_;
  std::string texts_;  // {"timestamp":...,"message":"..."}, one after the other
  std::vector<Event> events_;
  std::size_t message_bytes_ = 0;
  std::int64_t earliest_ms_ = 0, latest_ms_ = 0;
};

// RFC 1952.
std::string gzip(std::string_view bytes);
// "" if that is not smaller.
std::string gzip_if_smaller(std::string_view bytes);
// What these were given, `size` bytes.
std::string gunzip(std::string_view compressed, std::size_t size);

}  // namespace invlog::exporters

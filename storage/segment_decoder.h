// Reads a segment's stream back, as far as it has been fed, and puts bodies together from
// references and literal bytes.
//
// What it is fed comes from a file that may be damaged or altered, so every length and reference is
// checked before use: a body costs at most kMaximumBodyBytes of memory, the stream at most what the
// constructor was told.
//
// Threads: one. Errors: throws StoreError with the entry and the cause (std::bad_alloc without
// memory: that is no damage). After feed() threw, the entries that it had are still there, and no
// more can be fed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct ZSTD_DCtx_s;

namespace invlog::storage {

// Longest body that the store takes or gives back, bytes.
inline constexpr std::uint64_t kMaximumBodyBytes = 256ull << 20;

class SegmentDecoder {
 public:
  // `stream_bytes`: the stream's length if the segment is closed, else 0. `maximum_stream_bytes`:
  // no more is decoded.
  explicit SegmentDecoder(std::uint64_t stream_bytes, std::uint64_t maximum_stream_bytes);
  ~SegmentDecoder();
  SegmentDecoder(const SegmentDecoder&) = delete;
  SegmentDecoder& operator=(const SegmentDecoder&) = delete;

  // The next compressed bytes, in any portions.
  void feed(std::string_view compressed);
  // Entries whose bytes have all been fed.
  std::size_t entries() const { return entries_.size(); }
  std::uint64_t stream_bytes() const { return decoded_; }
  // The frame's last block has been fed.
  bool ended() const { return ended_; }
  // No decoded byte is left over behind the last entry.
  bool at_entry_boundary() const { return parsed_ == decoded_; }

  // index < entries().
  std::uint64_t request_bytes(std::size_t index) const { return entries_[index].request_bytes; }
  std::uint64_t response_bytes(std::size_t index) const { return entries_[index].response_bytes; }
  std::string request(std::size_t index) const;
  std::string_view response(std::size_t index) const;  // lives until the next feed()

 private:
  struct Entry {
    std::uint64_t request_bytes, response_bytes;
    std::uint64_t prefix_length, suffix_length;
    std::uint32_t prefix_entry, suffix_entry;
    std::uint64_t
        literal;  // where in the stream the request's own bytes begin; the response follows them

    std::uint64_t literal_length() const { return request_bytes - prefix_length - suffix_length; }
  };

  void make_room();
  void parse();
  bool parse_entry();
  void check_reference(std::uint64_t distance, std::uint64_t length) const;

  struct FreeContext {
    void operator()(ZSTD_DCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_DCtx_s, FreeContext> context_;
  std::uint64_t maximum_stream_bytes_;
  std::unique_ptr<char[]> buffer_;
  std::uint64_t capacity_ = 0;
  std::uint64_t decoded_ = 0;
  std::uint64_t parsed_ = 0;
  bool ended_ = false;
  std::vector<Entry> entries_;
};

}  // namespace invlog::storage

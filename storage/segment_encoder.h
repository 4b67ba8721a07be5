// Writes a segment's stream: one entry per record, compressed as one zstd frame that is flushed at
// every group commit. FORMAT.md, "Stream", has the layout.
//
// Level 3 with a 2 MiB window: 4 MB of memory, and the window spans many turns of many
// conversations, because what bodies share wholesale has already become references.
//
// Threads: one. Errors: throws StoreError if zstd does (out of memory). After a failed commit the
// encoder need not be told: bytes that take() gave out are kept by the caller and written again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "storage/reference_matcher.h"

struct ZSTD_CCtx_s;

namespace invlog::storage {

class SegmentEncoder {
 public:
  SegmentEncoder();
  ~SegmentEncoder();
  SegmentEncoder(const SegmentEncoder&) = delete;
  SegmentEncoder& operator=(const SegmentEncoder&) = delete;

  // A new segment: nothing earlier is referred to or used as context.
  void begin();
  // The next record's entry.
  void add(std::string_view request, std::string_view response);
  // Flushes, and appends to `out` the compressed bytes since the last take(): all entries so far
  // can be decoded from what was taken.
  void take(std::string& out);

  // Of this segment, before compression.
  std::uint64_t stream_bytes() const { return stream_bytes_; }
  std::uint64_t entries() const { return entries_; }
  // Of all bodies of this segment, before references and compression.
  std::uint64_t body_bytes() const { return body_bytes_; }

 private:
  void compress(std::string_view bytes, bool flush);

  struct FreeContext {
    void operator()(ZSTD_CCtx_s* context) const;
  };
  std::unique_ptr<ZSTD_CCtx_s, FreeContext> context_;
  ReferenceMatcher matcher_;
  std::string header_;
  std::string compressed_;
  std::uint64_t stream_bytes_ = 0;
  std::uint64_t entries_ = 0;
  std::uint64_t body_bytes_ = 0;
};

}  // namespace invlog::storage

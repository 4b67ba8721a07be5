#include "storage/segment_encoder.h"

#include <zstd.h>

#include "storage/store_error.h"
#include "storage/varint.h"

namespace invlog::storage {
namespace {

constexpr int kLevel = 3;
constexpr int kWindowLog = 21;

void check(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw StoreError(std::string("store: zstd cannot compress: ") + ZSTD_getErrorName(result));
  }
}

}  // namespace

void SegmentEncoder::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

SegmentEncoder::SegmentEncoder() : context_(ZSTD_createCCtx()) {
  if (!context_) {
    throw StoreError("store: no memory for compression");
  }
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel));
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kWindowLog));
  // The segment's SHA-256 and the records' checksums cover more than zstd's own would.
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 0));
}

SegmentEncoder::~SegmentEncoder() = default;

void SegmentEncoder::begin() {
  check(ZSTD_CCtx_reset(context_.get(), ZSTD_reset_session_only));
  matcher_.clear();
  compressed_.clear();
  stream_bytes_ = 0;
  entries_ = 0;
  body_bytes_ = 0;
}

void SegmentEncoder::add(std::string_view request, std::string_view response) {
  const References references = matcher_.add(request);
  body_bytes_ += request.size() + response.size();
  header_.clear();
  append_varint(header_, request.size());
  append_varint(header_, response.size());
  for (const Reference& reference : {references.prefix, references.suffix}) {
    append_varint(header_, reference.length);
    if (reference.length > 0) {
      append_varint(header_, entries_ - reference.record);
    }
  }
  request.remove_prefix(references.prefix.length);
  request.remove_suffix(references.suffix.length);
  compress(header_, false);
  compress(request, false);
  compress(response, false);
  stream_bytes_ += header_.size() + request.size() + response.size();
  ++entries_;
}

void SegmentEncoder::take(std::string& out) {
  compress({}, true);
  if (out.empty()) {
    out.swap(compressed_);
  } else {
    out += compressed_;
  }
  // A large group's buffer is not kept for the small ones after it.
  compressed_ = {};
}

void SegmentEncoder::compress(std::string_view bytes, bool flush) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  std::size_t left = 1;
  while (input.pos < input.size || (flush && left != 0)) {
    char buffer[16 * 1024];
    ZSTD_outBuffer output{buffer, sizeof(buffer), 0};
    left = ZSTD_compressStream2(context_.get(), &output, &input,
                                flush ? ZSTD_e_flush : ZSTD_e_continue);
    check(left);
    compressed_.append(buffer, output.pos);
  }
}

}  // namespace invlog::storage

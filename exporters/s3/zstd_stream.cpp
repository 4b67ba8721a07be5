#include "exporters/s3/zstd_stream.h"

#include <zstd.h>

#include <new>
#include <stdexcept>

namespace invlog::exporters {
namespace {

constexpr int kLevel = 3;
constexpr std::size_t kChunk = 128 << 10;

std::size_t checked(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(result));
  }
  return result;
}

}  // namespace

void ZstdStream::FreeContext::operator()(ZSTD_CCtx_s* context) const {
  ZSTD_freeCCtx(context);
}

ZstdStream::ZstdStream() : context_(ZSTD_createCCtx()) {
  if (!context_) {
    throw std::bad_alloc();
  }
  checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kLevel));
  checked(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
}

ZstdStream::~ZstdStream() = default;

void ZstdStream::append(std::string& out, std::string_view bytes) {
  run(out, bytes, false);
}

void ZstdStream::end(std::string& out) {
  run(out, {}, true);
}

void ZstdStream::append_frame(std::string& out, std::string_view bytes) {
  checked(ZSTD_CCtx_setPledgedSrcSize(context_.get(), bytes.size()));
  run(out, bytes, true);
}

void ZstdStream::run(std::string& out, std::string_view bytes, bool last) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  while (true) {
    const std::size_t before = out.size();
    out.resize(before + kChunk);
    ZSTD_outBuffer output{out.data() + before, kChunk, 0};
    const std::size_t left =
        ZSTD_compressStream2(context_.get(), &output, &input, last ? ZSTD_e_end : ZSTD_e_continue);
    out.resize(before + output.pos);
    checked(left);
    if (last ? left == 0 : input.pos == input.size) {
      return;
    }
  }
}

}  // namespace invlog::exporters

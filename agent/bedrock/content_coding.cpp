#include "agent/bedrock/content_coding.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace invlog::bedrock {
namespace {

using Decoded = tl::expected<std::string, ContentFailure>;

constexpr std::size_t kStep = 64 * 1024;
constexpr std::size_t kMaximumCodings = 4;
// RFC 8878 §3.1.1.1.2: decoders should support windows up to 8 MB; more is a request for our
// memory.
constexpr int kZstdWindowLog = 23;

tl::unexpected<ContentFailure> failure(std::string cause) {
  return tl::unexpected(ContentFailure{std::move(cause)});
}

tl::unexpected<ContentFailure> damage(std::string cause) {
  return tl::unexpected(ContentFailure{std::move(cause), ContentFailure::Kind::damaged});
}

tl::unexpected<ContentFailure> ends_early() {
  return tl::unexpected(ContentFailure{"ends within the stream", ContentFailure::Kind::ends_early});
}

tl::unexpected<ContentFailure> too_large(std::size_t maximum) {
  return failure("decodes to more than " + std::to_string(maximum) + " bytes");
}

class Inflater {
 public:
  // `window_bits` as zlib's inflateInit2 takes them: which wrapper is expected.
  explicit Inflater(int window_bits) { usable_ = inflateInit2(&stream_, window_bits) == Z_OK; }
  ~Inflater() {
    if (usable_) {
      inflateEnd(&stream_);
    }
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  Decoded run(std::string_view bytes, std::size_t maximum) {
    if (!usable_) {
      return failure("out of memory");
    }
    std::string out;
    std::array<char, 16 * 1024> step;
    int result = Z_OK;
    while (true) {
      if (stream_.avail_in == 0 && !bytes.empty()) {
        const std::size_t count = std::min<std::size_t>(bytes.size(), UINT_MAX);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        stream_.avail_in = static_cast<uInt>(count);
        bytes.remove_prefix(count);
      }
      stream_.next_out = reinterpret_cast<Bytef*>(step.data());
      stream_.avail_out = static_cast<uInt>(step.size());
      result = inflate(&stream_, Z_NO_FLUSH);
      out.append(step.data(), step.size() - stream_.avail_out);
      if (out.size() > maximum) {
        return too_large(maximum);
      }
      if (result == Z_STREAM_END) {
        if (stream_.avail_in == 0 && bytes.empty()) {
          return out;
        }
        // RFC 1952 §2.2: a gzip file is a series of members.
        if (inflateReset(&stream_) != Z_OK) {
          return damage("bytes behind the end of the stream");
        }
        continue;
      }
      if (result == Z_BUF_ERROR ||
          (result == Z_OK && stream_.avail_in == 0 && bytes.empty() && stream_.avail_out != 0)) {
        return ends_early();
      }
      if (result != Z_OK) {
        return damage(stream_.msg != nullptr ? stream_.msg : "damaged");
      }
    }
  }

 private:
  z_stream stream_{};
  bool usable_ = false;
};

Decoded decode_deflate(std::string_view bytes, std::size_t maximum) {
  // "deflate" means zlib's wrapper, but some senders leave it out (RFC 9110 §8.4.1.2).
  Decoded wrapped = Inflater(MAX_WBITS).run(bytes, maximum);
  if (wrapped) {
    return wrapped;
  }
  // What is damaged with it and only ends early without it has none.
  Decoded plain = Inflater(-MAX_WBITS).run(bytes, maximum);
  using Kind = ContentFailure::Kind;
  const bool unwrapped =
      plain || (plain.error().kind == Kind::ends_early && wrapped.error().kind == Kind::damaged);
  return unwrapped ? plain : wrapped;
}

Decoded decode_brotli(std::string_view bytes, std::size_t maximum) {
  const std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance);
  if (!state) {
    return failure("out of memory");
  }
  std::string out;
  std::size_t available_in = bytes.size();
  const auto* next_in = reinterpret_cast<const std::uint8_t*>(bytes.data());
  while (true) {
    std::size_t available_out = 0;
    const BrotliDecoderResult result = BrotliDecoderDecompressStream(
        state.get(), &available_in, &next_in, &available_out, nullptr, nullptr);
    while (true) {
      std::size_t size = kStep;
      const std::uint8_t* piece = BrotliDecoderTakeOutput(state.get(), &size);
      if (size == 0) {
        break;
      }
      out.append(reinterpret_cast<const char*>(piece), size);
      if (out.size() > maximum) {
        return too_large(maximum);
      }
    }
    switch (result) {
      case BROTLI_DECODER_RESULT_SUCCESS:
        if (available_in != 0) {
          return damage("bytes behind the end of the stream");
        }
        return out;
      case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
        return ends_early();
      case BROTLI_DECODER_RESULT_ERROR:
        return damage(BrotliDecoderErrorString(BrotliDecoderGetErrorCode(state.get())));
      case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
        break;
    }
  }
}

Decoded decode_zstd(std::string_view bytes, std::size_t maximum) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  if (!context) {
    return failure("out of memory");
  }
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLog);
  std::string out;
  std::vector<char> step(kStep);
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer output{step.data(), step.size(), 0};
    const std::size_t left = ZSTD_decompressStream(context.get(), &output, &input);
    if (ZSTD_isError(left)) {
      return damage(ZSTD_getErrorName(left));
    }
    out.append(step.data(), output.pos);
    if (out.size() > maximum) {
      return too_large(maximum);
    }
    if (input.pos < input.size) {
      continue;  // more of this frame, or another one behind it
    }
    if (left == 0) {
      return out;
    }
    if (output.pos < output.size) {
      return ends_early();
    }
  }
}

Decoded decode_one(std::string_view coding, std::string_view bytes, std::size_t maximum) {
  if (coding == "gzip" || coding == "x-gzip") {
    return Inflater(MAX_WBITS + 16).run(bytes, maximum);
  }
  if (coding == "deflate") {
    return decode_deflate(bytes, maximum);
  }
  if (coding == "br") {
    return decode_brotli(bytes, maximum);
  }
  if (coding == "zstd") {
    return decode_zstd(bytes, maximum);
  }
  return failure("unknown coding");
}

// Lower-case names in the header's order, without "identity".
std::vector<std::string> codings_of(std::string_view content_encoding) {
  std::vector<std::string> codings;
  while (!content_encoding.empty()) {
    const std::size_t comma = content_encoding.find(',');
    std::string name;
    for (const char character : content_encoding.substr(0, comma)) {
      if (character != ' ' && character != '\t') {
        name += character >= 'A' && character <= 'Z' ? static_cast<char>(character + ('a' - 'A'))
                                                     : character;
      }
    }
    if (!name.empty() && name != "identity") {
      codings.push_back(std::move(name));
    }
    content_encoding.remove_prefix(comma == std::string_view::npos ? content_encoding.size()
                                                                   : comma + 1);
  }
  return codings;
}

}  // namespace

bool has_content_coding(std::string_view content_encoding) {
  return !codings_of(content_encoding).empty();
}

Decoded decode_content(std::string_view content_encoding, std::string_view bytes,
                       std::size_t maximum) {
  const std::vector<std::string> codings = codings_of(content_encoding);
  if (codings.size() > kMaximumCodings) {
    return failure("more than " + std::to_string(kMaximumCodings) + " codings");
  }
  std::string decoded(codings.empty() ? bytes : std::string_view());
  for (auto coding = codings.rbegin(); coding != codings.rend(); ++coding) {
    Decoded next = decode_one(*coding, coding == codings.rbegin() ? bytes : decoded, maximum);
    if (!next) {
      next.error().cause.insert(0, *coding + ": ");
      return next;
    }
    decoded = std::move(*next);
  }
  return decoded;
}

}  // namespace invlog::bedrock

// Removes an HTTP content coding (RFC 9110 §8.4.1: gzip, deflate; RFC 7932: br; RFC 8878: zstd)
// from a captured body.
//
// Thread: any; pure function. Errors: damage, a coding unknown here and a body that would grow
// beyond the bound are ordinary outcomes: the cause, in words, and whether it is damage, or the
// body's end that is not there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace invlog::bedrock {

// What a body may become, in bytes. A few hundred bytes can decode to gigabytes; Bedrock's bodies
// end at 25 MB.
inline constexpr std::size_t kMaximumDecodedBody = 64 * 1024 * 1024;

// Whether `content_encoding`, the header's value, names a coding at all ("" and "identity" do not).
bool has_content_coding(std::string_view content_encoding);
struct ContentFailure {
  enum class Kind {
    unreadable,  // by this decoder, that is: whether it is as its coding says nobody here can tell
    ends_early,  // all that is there is as its coding says
    damaged
  };
  std::string cause;
  Kind kind = Kind::unreadable;
};

// Removes the codings in the reverse of the order in which the header lists them.
tl::expected<std::string, ContentFailure> decode_content(std::string_view content_encoding,
                                                         std::string_view bytes,
                                                         std::size_t maximum = kMaximumDecodedBody);

}  // namespace invlog::bedrock

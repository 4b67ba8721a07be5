// Decodes server-sent events, in which the OpenAI-compatible APIs stream. Source: WHATWG HTML
// §9.2.6: lines end in LF, CRLF or CR; `data` lines of one event are joined by LF; a line that
// starts with a colon is a comment; an empty line ends the event.
//
//     decoder.feed(bytes);
//     while (auto data = decoder.next()) ...
//     decoder.finish();  // no more bytes: an event without its empty line counts, too
//     while (auto data = decoder.next()) ...
//
// Event names and ids are not kept: these APIs repeat the name as the data's `type`.
//
// Thread: one at a time. Errors: none; lines with other fields are passed over, as the standard
// says.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::bedrock {

class SseDecoder {
 public:
  void feed(std::string_view bytes);
  void finish() { finished_ = true; }
  // The data of the next event that has any; empty if more bytes are needed.
  std::optional<std::string> next();

 private:
  // The next whole line without its end; empty if there is none yet.
  std::optional<std::string_view> next_line();

  std::string buffer_;
  std::size_t position_ = 0;  // of the first byte not yet taken as part of a line
  std::size_t searched_ = 0;  // up to here there is no line end behind position_
  bool finished_ = false;
  bool first_line_ = true;
  bool has_data_ = false;
  std::string data_;
};

}  // namespace invlog::bedrock

// Finds a text in a body, however the body writes it: as it stands, or with any of JSON's escapes
// (\u00fc, a surrogate pair, \/, \n; Python, Go and PHP each write others), also in a JSON text
// within a string, up to four deep. Case counts; a text that a stream's chunks split is not found.
//
// Thread: any, it is never changed. Ownership: has a copy of the text. Errors: none but for memory.
// Time: that of looking for two byte strings where the body has no escapes that matter, else about
// that of copying it as well.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::storage {

class TextMatcher {
 public:
  // The bytes of the body as it is, escapes included.
  struct Match {
    std::size_t offset, size;
  };

  explicit TextMatcher(std::string text);  // not empty

  // The first place where it stands as it is, else the first where it is escaped.
  std::optional<Match> find_in(std::string_view body) const;

 private:
  const std::string text_;
  const bool short_escapes_;  // it has a character for which there is more than \uXXXX
};

}  // namespace invlog::storage

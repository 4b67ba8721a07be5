// Finds a text in what a record's details keep of the request and the response: events that have no
// place in a body, and a stream's rest that could not be read. These stand there as JSON, or as
// base64 of their bytes, of which an event's `bytes` may be base64 once more: what looks like
// base64 is looked into, too. What else is in the details says nothing of the content: whoever
// looks for "proxy" does not mean how a call was captured.
//
// Thread: any; pure function. Ownership: the match has a copy of what it is in. Errors: none but
// for memory; in details that are no JSON nothing is found.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "storage/reader.h"
#include "storage/text_matcher.h"

namespace invlog::storage {

struct DetailsMatch {
  std::size_t offset;          // in the details, of the text or of the base64 that it is in
  std::string around;          // what it is in, decoded
  TextMatcher::Match in_that;  // where there
};

// `of`: whose parts are looked into.
std::optional<DetailsMatch> find_in_details(const TextMatcher& matcher, std::string_view details,
                                            Bodies of);

}  // namespace invlog::storage

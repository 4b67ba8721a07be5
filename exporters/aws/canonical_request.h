// The canonical forms that Signature Version 4 hashes: path, query and headers of a request,
// written the one way that client and service agree on. Source: AWS, "Create a signed AWS API
// request", step 1; the vectors of awslabs/aws-c-auth.
//
// Pure functions, any thread; they append to a caller's string so that signing a request costs few
// allocations. Never throw but for lack of memory: every sequence of bytes has a canonical form.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invlog::aws {

// RFC 3986: every byte but A-Z a-z 0-9 - . _ ~ becomes %XX in upper case; '/' stays if
// `keep_slash`.
void append_uri_encoded(std::string& out, std::string_view bytes, bool keep_slash);

// `path` is as on the wire ("" counts as "/"). `normalize` removes dot segments and empty segments;
// `encode_again` is false for S3 alone, whose canonical path is the wire's.
void append_canonical_path(std::string& out, std::string_view path, bool normalize,
                           bool encode_again);

// `query` is as on the wire, without '?'. Parameters are decoded, encoded again and sorted by name,
// then value. A '+' stands for itself (it is %2B), not for a space.
void append_canonical_query(std::string& out, std::string_view query);

// Sorted by name, names in lower case, values trimmed with runs of white space made one space, and
// values of a repeated name joined by commas in the order given. Appends the lines (each with its
// '\n') to `lines` and the names joined by
// ';' to `names`.
using HeaderViews = std::vector<std::pair<std::string_view, std::string_view>>;
void append_canonical_headers(std::string& lines, std::string& names, const HeaderViews& headers);

}  // namespace invlog::aws

// Requests and responses as the proxy logic sees them, whatever protocol version carried them.
//
// Plain values and pure functions; any thread; nothing here throws except for lack of memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invlog::capture {

using Header = std::pair<std::string, std::string>;
using Headers = std::vector<Header>;  // names as received, in order

struct RequestHead {
  std::string method;
  std::string target;     // as received; never normalised
  std::string authority;  // HTTP/2's :authority, or its Host if it had none; "" HTTP/1.1
  Headers headers;        // without HTTP/2's pseudo headers
  std::optional<std::uint64_t> content_length;
  int minor_version = 1;  // of HTTP/1
  bool http2 = false;
};

struct ResponseHead {
  enum class Body {
    none,    // by the rules of HTTP (HEAD, 204, 304): a Content-Length among the headers describes,
             // no bytes follow
    length,  // Content-Length is among the headers
    unknown,  // ends by itself: chunked, by the connection's end, or END_STREAM
  };
  int status = 0;
  std::string reason;
  Headers headers;  // without hop-by-hop headers
  Body body = Body::unknown;
  // HTTP/1.1's bytes up to and including the empty line, as received; "" if nobody asked for them.
  std::string raw;
  bool closes = false;  // in HTTP/1.1, the connection ends with this response
};

// ASCII case is ignored.
bool equal_ignoring_case(std::string_view one, std::string_view other);
// The first value; "" if absent.
std::string_view find_header(const Headers& headers, std::string_view name);
bool has_header(const Headers& headers, std::string_view name);
// Whether the comma-separated list in any header of this name contains `token`.
bool header_has_token(const Headers& headers, std::string_view name, std::string_view token);
// Headers that belong to one connection and are never forwarded (RFC 9110 §7.6.1), without those
// that Connection names.
bool is_hop_by_hop(std::string_view name);
// The same, with those that Connection names; Content-Length never is.
bool is_hop_by_hop(const Headers& headers, std::string_view name);
// Removes hop-by-hop headers, and those that Connection names.
void remove_hop_by_hop(Headers& headers);
// Appends it as HTTP/1.1 writes it.
inline void append_header(std::string& head, std::string_view name, std::string_view value) {
  head.append(name).append(": ").append(value).append("\r\n");
}
// The standard phrase for a status, "" if there is none.
std::string_view reason_phrase(int status);

// An answer of our own in AWS's JSON error shape, which SDKs turn into their own error classes:
// header x-amzn-ErrorType, body {"message":"..."}. facts/bedrock.md §2.7.
struct LocalResponse {
  ResponseHead head;
  std::string body;
};
// `message` goes to the client as it is.
LocalResponse aws_error(int status, std::string_view type, std::string_view message);

// The whole of it as HTTP/1.1, after which the connection closes.
std::string last_response_text(const LocalResponse& response);

}  // namespace invlog::capture

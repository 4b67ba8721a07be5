// A request as it goes on in proxy mode: with all that the application signed and nothing that it
// did not send.
//
// Its head is written from what was parsed, not copied: names, their case and order, and values are
// what they were, while no spelling that a server might read otherwise than the agent did (folded
// lines, white space before a colon) gets past the record.
//
// Pure functions; any thread. Errors: none.
#pragma once

#include <string>
#include <string_view>

#include "agent/capture/http_message.h"

namespace invlog::capture {

// Up to and including the empty line. A request that came by HTTP/2 gets its authority as Host, and
// a Content-Length for `body` if it had none.
std::string passed_head(const RequestHead& request, std::string_view body);
// Whether its body must be sent in chunks.
bool is_passed_in_chunks(const RequestHead& request);
// `body` as one chunk and the end.
std::string in_chunks(std::string_view body);

// Whether the Host (or :authority) names `host`, with or without `port`.
bool is_meant_for(const RequestHead& request, std::string_view host, std::uint16_t port);

}  // namespace invlog::capture

// Whether a connection begins with TLS: what its port does with it depends on that before anything
// reads a hello. Source: RFC 8446 §5.1.
//
// Thread: any; a pure function. Errors: none.
#pragma once

#include <string_view>

namespace invlog::capture {

// Whether these bytes (one is enough, none are not) may begin a TLS connection: a handshake record.
inline bool may_be_tls(std::string_view bytes) {
  constexpr unsigned char kHandshakeRecord = 22, kMajorVersion = 3;
  return !bytes.empty() && static_cast<unsigned char>(bytes[0]) == kHandshakeRecord &&
         (bytes.size() < 2 || static_cast<unsigned char>(bytes[1]) == kMajorVersion);
}

}  // namespace invlog::capture

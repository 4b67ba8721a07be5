// Reads the server name off the first bytes of a TLS connection, without answering it: what decides
// whether the connection is intercepted, tunnelled or refused when no CONNECT came before.
// Source: RFC 6066 §3 (server_name), RFC 8446 §4.1.2.
//
// OpenSSL parses the hello from memory; only the extension's own few bytes are read here. Thread:
// any. Errors: results; std::bad_alloc if OpenSSL has no memory.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace invlog::proxy {

struct ClientHello {
  enum class State {
    incomplete,  // more bytes are needed
    complete,    // `server_name` is what the client asked for, "" if it named none
    malformed  // no TLS client hello, one over kMostBytes, or one that asks for what is no DNS name
  };
  static constexpr std::size_t kMostBytes = 32 * 1024;

  State state = State::incomplete;
  std::string server_name;  // lower case, without a final dot; a DNS name's characters only
};

// `bytes` from the connection's first on; what follows the hello does not matter.
ClientHello read_client_hello(std::string_view bytes);

}  // namespace invlog::proxy

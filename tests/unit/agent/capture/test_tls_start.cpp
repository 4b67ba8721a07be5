#include "agent/capture/tls_start.h"

#include "tests/catch.h"

namespace invlog::capture {

TEST_CASE("A handshake record may begin TLS, and nothing else does") {
  CHECK(may_be_tls("\x16\x03\x01\x02"));
  CHECK(may_be_tls("\x16\x03"));
  CHECK(may_be_tls("\x16"));
  CHECK_FALSE(may_be_tls(""));
  CHECK_FALSE(may_be_tls("\x16\x02"));
  CHECK_FALSE(may_be_tls("\x15\x03\x01"));
  CHECK_FALSE(may_be_tls("POST"));
  CHECK_FALSE(may_be_tls("SSH-2.0-client"));
}

}  // namespace invlog::capture

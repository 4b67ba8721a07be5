#include "agent/proxy/tunnel_addresses.h"

#include "tests/catch.h"

using namespace invlog::proxy;

namespace {

constexpr bool kLocal = true, kRemote = false;

std::string why(const std::string& address, std::uint16_t port, bool local_caller) {
  const TunnelAddresses addresses([] { return std::vector<std::uint16_t>{4180, 4181}; });
  const auto refusal =
      addresses.refusal({boost::asio::ip::make_address(address), port}, local_caller);
  return refusal ? refusal->why : "";
}

}  // namespace

TEST_CASE("no tunnel leads to the agent's ports at any address of this host", "[proxy]") {
  for (const char* address : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) {
    INFO(address);
    CHECK(why(address, 4180, kLocal) == "own-address");
    CHECK(why(address, 4181, kRemote) == "own-address");
    CHECK(why(address, 4182, kLocal) == "");
  }
  CHECK(why("192.0.2.1", 4180, kLocal) == "");  // a documentation address (RFC 5737): not ours
}

TEST_CASE("no tunnel leads to link-local or unspecified addresses", "[proxy]") {
  for (const char* address : {"169.254.169.254", "169.254.170.2", "169.254.0.1", "fe80::1",
                              "fe80::1%1", "febf::1", "::ffff:169.254.169.254", "fd00:ec2::254"}) {
    INFO(address);
    CHECK(why(address, 80, kLocal) == "link-local");
  }
  for (const char* address : {"0.0.0.0", "::", "::ffff:0.0.0.0"}) {
    INFO(address);
    CHECK(why(address, 80, kLocal) == "unspecified-address");
  }
  for (const char* address : {"169.253.255.255", "169.255.0.0", "fec0::1", "fd00:ec3::254",
                              "52.94.133.131", "2001:db8::1"}) {
    INFO(address);
    CHECK(why(address, 80, kRemote) == "");
  }
}

TEST_CASE("loopback is for callers of this host", "[proxy]") {
  for (const char* address : {"127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"}) {
    INFO(address);
    CHECK(why(address, 80, kRemote) == "loopback");
    CHECK(why(address, 80, kLocal) == "");
  }
}

// Which socket is whose; that they are inherited in fact is in tests/e2e/test_service.py.
#include "agent/service/inherited_sockets.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/catch.h"

namespace invlog::service {
namespace {

int a_socket() {
  return ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}
bool is_open(int descriptor) {
  return ::fcntl(descriptor, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("Inherited sockets are taken by name; those without a name are for applications") {
  const int named = a_socket(), admin = a_socket(), unit = a_socket(), unknown = a_socket();
  {
    InheritedSockets sockets(
        {{"capture", named}, {"admin", admin}, {"invlog@x.socket", unit}, {"unknown", unknown}});
    CHECK(sockets.take("capture") == std::vector<int>{named, unit, unknown});
    CHECK(sockets.take("capture").empty());
    CHECK(sockets.left() == std::vector<std::string>{"admin"});
    InheritedSockets moved(std::move(sockets));
    CHECK(is_open(admin));
  }
  CHECK_FALSE(is_open(admin));  // nobody took it
  CHECK(is_open(named));
  for (const int descriptor : {named, unit, unknown})
    ::close(descriptor);
}

TEST_CASE(
    "Without a service manager there are no inherited sockets, nor those of another process") {
  CHECK(InheritedSockets::from_environment().left().empty());
  ::setenv("LISTEN_PID", "1", 1);
  ::setenv("LISTEN_FDS", "2", 1);
  CHECK(InheritedSockets::from_environment().left().empty());
  CHECK(::getenv("LISTEN_FDS") == nullptr);  // no child shall take them for its own
}

}  // namespace invlog::service

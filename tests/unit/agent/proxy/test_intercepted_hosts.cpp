#include "agent/proxy/intercepted_hosts.h"

#include <vector>

#include "tests/catch.h"

using namespace invlog;
using namespace invlog::proxy;

namespace {

struct InterceptedHostsScene {
  boost::asio::io_context context;
  std::vector<std::string> gone;
  InterceptedHosts hosts{
      2,
      [this](const std::string& host, std::uint16_t port) -> InterceptedHosts::Interception {
        if (host == "unreachable")
          return nullptr;
        const auto pool = [this] {
          return capture::UpstreamPool(context.get_executor(), {}, nullptr);
        };
        return std::make_shared<capture::Interception>(
            capture::Interception{host, port, pool(), pool()});
      },
      [this](const std::string& host) { gone.push_back(host); }};
  InterceptedHosts::Interception take(const std::string& host, bool named = false) {
    return hosts.take(host, 443, named);
  }
};

}  // namespace

TEST_CASE("the name that was not used for longest leaves for a new one", "[proxy]") {
  InterceptedHostsScene scene;
  const auto* const first = scene.take("a").get();
  scene.take("b");
  CHECK(scene.take("a").get() == first);
  CHECK(scene.take("c")->host == "c");
  CHECK(scene.gone == std::vector<std::string>{"b"});
  CHECK(scene.take("d") != nullptr);
  CHECK(scene.gone == std::vector<std::string>{"b", "a"});
}

TEST_CASE("a name with an open connection stays", "[proxy]") {
  InterceptedHostsScene scene;
  auto a = scene.take("a");
  const auto b = scene.take("b");
  CHECK_FALSE(scene.hosts.has_room_for("c"));
  CHECK(scene.hosts.has_room_for("a"));
  CHECK(scene.take("c") == nullptr);
  CHECK(scene.take("a") == a);
  CHECK(scene.gone.empty());
  a.reset();
  CHECK(scene.hosts.has_room_for("c"));
  CHECK(scene.take("c") != nullptr);
  CHECK(scene.gone == std::vector<std::string>{"a"});
}

TEST_CASE("names of the configuration stay, and take nobody's room", "[proxy]") {
  InterceptedHostsScene scene;
  const auto* const named = scene.take("named", true).get();
  for (const char* host : {"a", "b", "c", "d"})
    CHECK(scene.take(host) != nullptr);
  CHECK(scene.take("named", true).get() == named);
  CHECK(scene.gone == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a host to which there is no way is not kept", "[proxy]") {
  InterceptedHostsScene scene;
  CHECK(scene.take("unreachable") == nullptr);
  CHECK(scene.take("unreachable", true) == nullptr);
  CHECK(scene.hosts.idle_connections() == 0);
  CHECK(scene.take("a") != nullptr);
}

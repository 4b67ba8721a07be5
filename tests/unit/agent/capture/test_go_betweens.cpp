#include "agent/capture/go_betweens.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

struct GoBetweensScene {
  GoBetweensScene() {
    caller.uid = 998;
    peer.transport = Peer::Transport::loopback;
    peer.socket = 7;
  }
  int asked = 0;
  SocketHolder holder = SocketHolder::agent;
  bedrock::Caller caller;
  Peer peer;
  GoBetweens go_betweens{998, [this](std::uint32_t) {
                           ++asked;
                           return holder;
                         }};
};

}  // namespace

TEST_CASE("An agent of the agent's user calls for anybody, by TCP") {
  GoBetweensScene scene;
  CHECK(scene.go_betweens.include(scene.caller, scene.peer));
  CHECK(scene.go_betweens.include(scene.caller, scene.peer));
  CHECK(scene.asked == 1);
  scene.peer.transport = Peer::Transport::unix_socket;
  CHECK_FALSE(scene.go_betweens.include(scene.caller, scene.peer));
}

TEST_CASE(
    "Another program of the agent's user calls for itself, one that cannot be found may not") {
  GoBetweensScene scene;
  scene.holder = SocketHolder::other_program;
  CHECK_FALSE(scene.go_betweens.include(scene.caller, scene.peer));
  scene.holder = SocketHolder::unknown;
  scene.peer.socket = 8;
  CHECK(scene.go_betweens.include(scene.caller, scene.peer));
  scene.holder = SocketHolder::other_program;
  scene.peer.socket = 0;
  CHECK(scene.go_betweens.include(scene.caller, scene.peer));
  CHECK(scene.asked == 2);
}

TEST_CASE("Other users are nobody's go-between, nor is anybody where no user is the agents'") {
  GoBetweensScene scene;
  scene.caller.uid = 997;
  CHECK_FALSE(scene.go_betweens.include(scene.caller, scene.peer));
  scene.caller.uid.reset();
  CHECK_FALSE(scene.go_betweens.include(scene.caller, scene.peer));
  GoBetweens nobody({}, [](std::uint32_t) { return SocketHolder::agent; });
  scene.caller.uid = 998;
  CHECK_FALSE(nobody.include(scene.caller, scene.peer));
  CHECK(scene.asked == 0);
}

}  // namespace invlog::capture

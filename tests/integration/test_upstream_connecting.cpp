// Connecting to the service: what takes too long, and what a client that leaves meanwhile does.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <vector>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"

namespace invlog::test {
namespace {

// A listener whose queue is full: the kernel lets no connection finish.
class FullListener {
 public:
  FullListener() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), length);
    ::listen(listener_, 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    // The queue takes one; the others see to it that it stays full.
    for (int number = 0; number < 4; ++number) {
      waiting_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(waiting_.back(), reinterpret_cast<sockaddr*>(&address), sizeof address);
      pollfd first{waiting_.front(), POLLOUT, 0};
      ::poll(&first, 1, 5000);
    }
  }
  ~FullListener() {
    for (const int each : waiting_)
      ::close(each);
    ::close(listener_);
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int listener_;
  std::uint16_t port_ = 0;
  std::vector<int> waiting_;
};

}  // namespace

TEST_CASE("A connection that does not come about is a 504 after connect_timeout") {
  const FullListener listener;
  auto configuration = AgentFixture::configuration(listener.url());
  configuration.connect_timeout = std::chrono::milliseconds(500);
  AgentFixture agent(configuration);
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  const HttpResponse response = read_response(client);
  CHECK(response.status == 504);
  CHECK(response.header("x-amzn-ErrorType") == "ServiceUnavailableException");
  CHECK(response.body.find("no connection within 500 ms") != std::string::npos);
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "timeout");
  CHECK(records[0].status == 504);
}

TEST_CASE("A client that leaves while the agent connects ends the attempt") {
  const FullListener listener;
  AgentFixture agent(AgentFixture::configuration(listener.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  while (agent.statistics().calls == 0)
    std::this_thread::yield();
  client.close();
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "client-closed");
}

TEST_CASE("A stop that has waited long enough cuts the calls, and they are on record") {
  const FullListener listener;
  auto configuration = AgentFixture::configuration(listener.url());
  configuration.connect_timeout = std::chrono::seconds(600);
  AgentFixture agent(
      configuration, true, [](const char*) { return std::optional<std::string>(); },
      std::chrono::milliseconds(20));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}"));
  while (agent.statistics().calls == 0)
    std::this_thread::yield();
  agent.begin_stop();
  agent.join();
  const auto records = agent.sink().wait_for(1);
  REQUIRE(records.size() == 1);
  CHECK(records[0].outcome == "interrupted");
  CHECK(records[0].details.find("the agent stopped") != std::string::npos);
}

}  // namespace invlog::test

// Who may call: by user and group, and no web page. A refused call is answered before its body is
// read, never goes upstream, and is told of.
#include <unistd.h>

#include <future>
#include <memory>
#include <optional>

#include "tests/catch.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/http2_client.h"
#include "tests/integration/scripted_upstream.h"
#include "tests/temporary_directory.h"

namespace invlog::test {
namespace {

// A head whose body never comes.
std::string head_of(std::string_view host, std::string_view more = {}) {
  return "POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: " + std::string(host) + "\r\n" +
         std::string(more) + "Content-Length: 1000\r\n\r\n";
}

// The system's databases of users, which do not answer until this goes.
class SilentDirectory {
 public:
  ~SilentDirectory() { answers_.set_value(); }
  capture::HostUsers users() const {
    capture::HostUsers users;
    users.groups = [answered = answered_](std::uint32_t uid) {
      answered.wait();
      return capture::groups_of_user(uid);
    };
    users.names = [answered = answered_](std::uint32_t uid) {
      answered.wait();
      return capture::name_of_user(uid);
    };
    return users;
  }

 private:
  std::promise<void> answers_;
  std::shared_future<void> answered_ = answers_.get_future().share();
};

std::optional<std::string> no_environment(const char*) {
  return std::nullopt;
}

// Behind the agent, as its end waits for the look-ups that are under way.
struct SilentScene {
  explicit SilentScene(const config::AgentConfig& configuration)
      : directory(std::make_unique<SilentDirectory>()),
        agent(configuration, true, no_environment, std::chrono::seconds(3), {},
              directory->users()) {}
  ~SilentScene() { directory.reset(); }
  std::unique_ptr<SilentDirectory> directory;
  AgentFixture agent;
};

void check_refused(const HttpResponse& response) {
  CHECK(response.status == 403);
  CHECK(response.header("x-amzn-ErrorType") == "AccessDeniedException");
  CHECK(response.body.find("{\"message\":\"invlog: ") == 0);
}

}  // namespace

TEST_CASE("Only listed users and groups may call, on loopback and on the socket") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  const std::uint32_t user = ::geteuid(), group = ::getegid();

  SECTION("by user") {
    configuration.access.user_ids = {user + 1, user};
  }
  SECTION("by group") {
    configuration.access.user_ids = {user + 1};
    configuration.access.group_ids = {group};
  }
  AgentFixture agent(configuration);
  LoopbackSocket by_tcp = agent.connect();
  LoopbackSocket by_socket = LoopbackSocket::connect_unix(configuration.listen_socket);
  for (LoopbackSocket* client : {&by_tcp, &by_socket}) {
    client->send(post(kConverse, "{}"));
    CHECK(read_response(*client).status == 200);
  }
  CHECK(agent.statistics().access_denied == 0);
}

TEST_CASE("Whoever is not listed is refused before the body is read, and told of once") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  configuration.access.user_ids = {static_cast<std::uint32_t>(::geteuid() + 1)};
  configuration.access.group_ids = {4000000000u};
  AgentFixture agent(configuration);
  for (int number = 0; number < 3; ++number) {
    LoopbackSocket by_tcp = agent.connect();
    LoopbackSocket by_socket = LoopbackSocket::connect_unix(configuration.listen_socket);
    for (LoopbackSocket* client : {&by_tcp, &by_socket}) {
      client->send(head_of("x", "Expect: 100-continue\r\n"));
      const HttpResponse response = read_response(*client);
      check_refused(response);
      CHECK(response.body.find("allow_users") != std::string::npos);
      client->shut_writing();
      CHECK(client->sees_end());
    }
  }
  CHECK(agent.statistics().access_denied == 6);
  CHECK(agent.statistics().calls == 6);
  agent.begin_stop();
  agent.join();
  const std::vector<std::string> events = agent.sink().events();
  REQUIRE(events.size() == 2);  // the first at once, five more at the end
  CHECK(events[0].find("call-refused {\"why\":\"caller\",\"caller\":\"") == 0);
  CHECK(events[0].find("\"calls\":1,") != std::string::npos);
  CHECK(events[1].find("\"calls\":5,") != std::string::npos);
  CHECK(upstream.connections() == 0);
  CHECK(agent.sink().records() == 0);
}

TEST_CASE("Groups that nobody tells hold up no other connection, and then let nobody in") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.access.user_ids = {static_cast<std::uint32_t>(::geteuid() + 1)};
  configuration.access.group_ids = {static_cast<std::uint32_t>(::getegid())};
  SilentScene scene(configuration);
  LoopbackSocket waits = scene.agent.connect();
  waits.send(head_of("x"));
  LoopbackSocket other = scene.agent.connect();
  other.send("GARBAGE\r\n\r\n");
  CHECK(read_response(other).status == 400);
  const HttpResponse refused = read_response(waits);
  check_refused(refused);
  CHECK(refused.body.find("the user " + std::to_string(::geteuid()) + " may not call") !=
        std::string::npos);
  CHECK(refused.body.find("took too long") != std::string::npos);
  CHECK(upstream.connections() == 0);
}

TEST_CASE("A name that nobody tells holds up no other connection, and then is unknown") {
  using config::PolicyEffect;
  using config::PolicyTerm;
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  const bool asked = GENERATE(true, false);
  if (asked) {
    configuration.policy.given = true;
    configuration.policy.rules = {
        {PolicyEffect::deny, {{PolicyTerm::Kind::caller, "nobody-*"}}, "deny caller:nobody-*"}};
    configuration.policy.unknown = PolicyEffect::flag;
  }
  SilentScene scene(configuration);
  LoopbackSocket waits = scene.agent.connect();
  waits.send(post("/model/amazon.nova-2-lite-v1%3A0/converse", "{}"));
  LoopbackSocket other = scene.agent.connect();
  other.send("GARBAGE\r\n\r\n");
  CHECK(read_response(other).status == 400);
  CHECK(read_response(waits).status == 200);
  const auto records = scene.agent.sink().wait_for(1);
  CHECK(records[0].caller == std::to_string(::geteuid()));
  CHECK(records[0].decision == (asked ? "flag" : "allow"));
}

TEST_CASE("By TCP nobody can tell for whom an agent calls that runs as the same user") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  capture::HostUsers users;
  users.agents_user = ::geteuid();
  const auto call = [](LoopbackSocket client) {
    client.send(post("/model/amazon.nova-2-lite-v1%3A0/converse", "{}"));
    return read_response(client);
  };
  SECTION("where only listed users may call") {
    configuration.access.user_ids = {static_cast<std::uint32_t>(::geteuid())};
    AgentFixture agent(configuration, true, no_environment, std::chrono::seconds(3), {}, users);
    const HttpResponse refused = call(agent.connect());
    check_refused(refused);
    CHECK(refused.body.find("for whom this program calls cannot be told") != std::string::npos);
    CHECK(call(LoopbackSocket::connect_unix(configuration.listen_socket)).status == 200);
  }
  SECTION("where the policy asks who calls") {
    configuration.policy.given = true;
    configuration.policy.rules = {{config::PolicyEffect::deny,
                                   {{config::PolicyTerm::Kind::caller, "nobody-*"}},
                                   "deny caller:nobody-*"}};
    configuration.policy.unknown = config::PolicyEffect::deny;
    AgentFixture agent(configuration, true, no_environment, std::chrono::seconds(3), {}, users);
    check_refused(call(agent.connect()));
    CHECK(call(LoopbackSocket::connect_unix(configuration.listen_socket)).status == 200);
    const auto records = agent.sink().wait_for(2);
    CHECK(records[0].decision == "deny");
    CHECK(records[0].caller.empty());
    CHECK(records[1].decision == "allow");
    CHECK_FALSE(records[1].caller.empty());
  }
  SECTION("unless it is seen to be no agent") {
    configuration.access.user_ids = {static_cast<std::uint32_t>(::geteuid())};
    users.holder = [](std::uint32_t) { return capture::SocketHolder::other_program; };
    AgentFixture agent(configuration, true, no_environment, std::chrono::seconds(3), {}, users);
    CHECK(call(agent.connect()).status == 200);
  }
  SECTION("where nothing depends on it, the record names that user") {
    AgentFixture agent(configuration, true, no_environment, std::chrono::seconds(3), {}, users);
    CHECK(call(agent.connect()).status == 200);
    CHECK_FALSE(agent.sink().wait_for(1)[0].caller.empty());
  }
}

TEST_CASE("A refused request without a body leaves its connection usable") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send("GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  check_refused(read_response(client));
  client.send("HEAD /x HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  CHECK(read_response(client, true).status == 403);
  client.send(post(kConverse, "{}"));
  CHECK(read_response(client).status == 200);
}

TEST_CASE("A web page's requests are refused on TCP") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.access.hosts = {"invlog.example.com"};
  AgentFixture agent(configuration);
  for (const auto& [host, origin] : std::vector<std::pair<std::string, std::string>>{
           {"127.0.0.1:4180", "Origin: https://page.example\r\n"},
           {"rebound.example:4180", ""},
           {"localhost", "origin: null\r\n"}}) {
    LoopbackSocket client = agent.connect();
    client.send(head_of(host, origin));
    check_refused(read_response(client));
  }
  CHECK(upstream.connections() == 0);
  for (const char* host : {"invlog.example.com:4180", "bedrock-runtime.eu-central-1.amazonaws.com",
                           "[::1]:4180", "localhost:4180"}) {
    LoopbackSocket client = agent.connect();
    client.send("POST " + std::string(kConverse) + " HTTP/1.1\r\nHost: " + host +
                "\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(read_response(client).status == 200);
  }
}

TEST_CASE("On the Unix socket, Host may be anything") {
  const tests::TemporaryDirectory directory;
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  auto configuration = AgentFixture::configuration(upstream.url());
  configuration.listen_socket = directory.path() + "/agent.sock";
  AgentFixture agent(configuration);
  LoopbackSocket client = LoopbackSocket::connect_unix(configuration.listen_socket);
  client.send("POST " + std::string(kConverse) +
              " HTTP/1.1\r\nHost: any.thing.example\r\nContent-Length: 2\r\n\r\n{}");
  CHECK(read_response(client).status == 200);
}

TEST_CASE("HTTP/2: :authority counts as Host, and a refusal does not wait for the body") {
  ScriptedUpstream upstream(ScriptedUpstream::echoing());
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket socket = agent.connect();
  HeaderList headers = http2_post_headers(kConverse);
  for (auto& [name, value] : headers) {
    if (name == ":authority")
      value = "rebound.example";
  }
  headers.emplace_back("host", "rebound.example");
  socket.send(http2_opening() +
              http2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 1, hpack(headers)));
  CHECK(socket.read_until("rebound.example").find("rebound.example") != std::string::npos);
  CHECK(agent.statistics().access_denied == 1);
  Http2Client client(agent.port());
  const auto& refused = client.wait_for(client.post(kConverse, "{}", {{"origin", "http://x"}}));
  CHECK(refused.status == 403);
  CHECK(refused.header("x-amzn-errortype") == "AccessDeniedException");
  CHECK(client.wait_for(client.post(kConverse, "{}")).status == 200);
}

}  // namespace invlog::test

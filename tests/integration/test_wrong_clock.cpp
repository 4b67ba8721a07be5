// A host whose clock is wrong: the service refuses all that the agent signs, and the agent says
// why.
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/integration/agent_fixture.h"
#include "tests/integration/scripted_upstream.h"

namespace invlog::test {
namespace {

using tests::contains;

// What is logged while it lives; to be read when nobody logs any more.
class CaughtLog {
 public:
  CaughtLog() : before_(spdlog::default_logger()) {
    spdlog::set_default_logger(std::make_shared<spdlog::logger>(
        "test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text_)));
  }
  ~CaughtLog() { spdlog::set_default_logger(before_); }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

std::string refused_in_1994(const UpstreamRequest&) {
  const std::string body =
      R"({"message":"Signature not yet current: 20231114T222820Z is still later than it is"})";
  return "HTTP/1.1 403 Forbidden\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nx-amzn-ErrorType: "
         "InvalidSignatureException\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace

TEST_CASE("Why signatures are refused on a host with a wrong clock is logged and in the status") {
  const std::string problem = "this host's clock is ";
  CaughtLog log;
  {
    ScriptedUpstream upstream(ScriptedUpstream::answering(refused_in_1994));
    AgentFixture agent(AgentFixture::configuration(upstream.url()));
    LoopbackSocket client = agent.connect();
    for (const std::string& target : {std::string(kConverse), std::string("/no/invocation")}) {
      client.send(post(target, "{}"));
      CHECK(read_response(client).status == 403);
      const auto errors = agent.statistics().last_errors;
      REQUIRE(errors.size() == 1);  // not for each of them
      CHECK(errors[0].starts_with(problem));
    }
  }
  const std::string text = log.text();
  REQUIRE(contains(text, problem));
  CHECK(text.find(problem) == text.rfind(problem));
}

TEST_CASE("A call with the application's own key says nothing of this host's clock") {
  ScriptedUpstream upstream(ScriptedUpstream::answering(refused_in_1994));
  AgentFixture agent(AgentFixture::configuration(upstream.url()));
  LoopbackSocket client = agent.connect();
  client.send(post(kConverse, "{}", "Authorization: Bearer key\r\n"));
  CHECK(read_response(client).status == 403);
  CHECK(agent.statistics().last_errors.empty());
}

}  // namespace invlog::test

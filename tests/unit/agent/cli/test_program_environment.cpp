#include "agent/cli/program_environment.h"

#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::cli;
using invlog::tests::environment_of;

namespace {

const AgentEndpoint kLoopback{"127.0.0.1", 4180};

std::string value(const ProgramVariables& variables, const std::string& name) {
  for (const ProgramVariable& variable : variables) {
    if (variable.name == name)
      return variable.value;
  }
  return "(not set)";
}

// NO_PROXY and no_proxy where the environment has these.
std::pair<std::string, std::string> no_proxy(std::map<std::string, std::string> present,
                                             const AgentEndpoint& endpoint = kLoopback) {
  const auto set = program_variables({endpoint, "", false}, environment_of(std::move(present)));
  return {value(set, "NO_PROXY"), value(set, "no_proxy")};
}

const std::pair<std::string, std::string> kNeither = {"(not set)", "(not set)"};
std::pair<std::string, std::string> both(const std::string& text) {
  return {text, text};
}

}  // namespace

TEST_CASE("a program is given the agent's URL, and a Region only if it has none") {
  const ProgramVariables expected = {{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:4180"},
                                     {"ANTHROPIC_BEDROCK_BASE_URL", "http://127.0.0.1:4180"},
                                     {"AWS_REGION", "eu-central-1"},
                                     {"AWS_DEFAULT_REGION", "eu-central-1"}};
  CHECK(program_variables({kLoopback, "eu-central-1", false}, environment_of({})) == expected);

  for (const char* name : {"AWS_REGION", "AWS_DEFAULT_REGION"}) {
    const auto set = program_variables({kLoopback, "eu-central-1", false},
                                       environment_of({{name, "us-east-1"}}));
    CHECK(value(set, "AWS_REGION") == "(not set)");
    CHECK(value(set, "AWS_DEFAULT_REGION") == "(not set)");
  }
  CHECK(program_variables({kLoopback, "", false}, environment_of({})).size() == 2);
  CHECK(value(program_variables({{"::1", 99}, "", false}, environment_of({})),
              "ANTHROPIC_BEDROCK_BASE_URL") == "http://[::1]:99");
}

TEST_CASE("OpenAI's SDK is led to Bedrock only on demand") {
  CHECK(value(program_variables({kLoopback, "", false}, environment_of({})), "OPENAI_BASE_URL") ==
        "(not set)");
  CHECK(value(program_variables({kLoopback, "", true}, environment_of({})), "OPENAI_BASE_URL") ==
        "http://127.0.0.1:4180/openai/v1");
}

TEST_CASE("no proxy comes between a program and the agent") {
  CHECK(no_proxy({}) == kNeither);
  CHECK(no_proxy({{"NO_PROXY", "example.com"}}) == kNeither);
  CHECK(no_proxy({{"HTTPS_PROXY", "http://proxy:3128"}}) == kNeither);  // the URL is plain http
  for (const char* name : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) {
    INFO(name);
    CHECK(no_proxy({{name, "http://proxy:3128"}}) == both("127.0.0.1"));
    CHECK(no_proxy({{name, ""}}) == kNeither);
  }
  const std::string proxy = "http://proxy:3128";
  CHECK(no_proxy({{"http_proxy", proxy}, {"NO_PROXY", "a.example, .b\n"}}) ==
        both("a.example,.b,127.0.0.1"));
  CHECK(no_proxy({{"http_proxy", proxy}, {"NO_PROXY", "a"}, {"no_proxy", "b"}}) ==
        std::pair<std::string, std::string>("a,127.0.0.1", "b,127.0.0.1"));
  CHECK(no_proxy({{"http_proxy", proxy}, {"NO_PROXY", "a,127.0.0.1"}, {"no_proxy", "b"}}) ==
        std::pair<std::string, std::string>("(not set)", "b,127.0.0.1"));
  CHECK(no_proxy({{"http_proxy", proxy}, {"no_proxy", "a,127.0.0.1"}}) == kNeither);
  CHECK(no_proxy({{"http_proxy", proxy}, {"no_proxy", "*"}}) == kNeither);
  CHECK(no_proxy({{"http_proxy", proxy}, {"no_proxy", "127.0.0.10"}}) ==
        both("127.0.0.10,127.0.0.1"));
  CHECK(no_proxy({{"http_proxy", proxy}, {"no_proxy", "::1"}}, {"::1", 4180}) == both("::1,[::1]"));
}

TEST_CASE("what makes SDKs overlook the endpoint is told") {
  CHECK(environment_problem(environment_of({})) == "");
  CHECK(environment_problem(environment_of({{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"}})) ==
        "");
  CHECK(environment_problem(environment_of({{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "True"}}))
            .starts_with("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true"));
}

TEST_CASE("variables are written as a shell, systemd, docker and programs read them") {
  const ProgramVariables variables = {{"PLAIN", "http://[::1]:4180"},
                                      {"ODD", R"(it's $HOME "x" `y` \z)"}};
  CHECK(variables_text(variables, VariableFormat::sh) ==
        "export PLAIN='http://[::1]:4180'\nexport ODD='it'\\''s $HOME \"x\" `y` \\z'\n");
  CHECK(variables_text(variables, VariableFormat::systemd) ==
        "PLAIN=http://[::1]:4180\nODD=\"it's \\$HOME \\\"x\\\" \\`y\\` \\\\z\"\n");
  CHECK(variables_text(variables, VariableFormat::docker) ==
        "PLAIN=http://[::1]:4180\nODD=it's $HOME \"x\" `y` \\z\n");
  CHECK(variables_text(variables, VariableFormat::json) ==
        "{\"PLAIN\":\"http://[::1]:4180\",\"ODD\":\"it's $HOME \\\"x\\\" `y` \\\\z\"}\n");
}

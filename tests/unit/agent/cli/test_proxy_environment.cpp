#include "agent/cli/proxy_environment.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "agent/cli/agent_search.h"
#include "agent/cli/program_commands.h"
#include "tests/contains.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

const ProxyAccess kProxy{
    {"127.0.0.1", 4181}, "/s/ca.pem", "/s/ca-bundle.pem", {kBedrock, kVpcEndpoints}};

std::string docker_text(std::map<std::string, std::string> present, bool openai = false) {
  const ProgramNeeds needs{kProxy.endpoint, "", openai, kProxy};
  return variables_text(program_variables(needs, environment_of(std::move(present))),
                        VariableFormat::docker);
}

std::string shell_text(std::map<std::string, std::string> present) {
  const ProgramNeeds needs{kProxy.endpoint, "", false, kProxy};
  return variables_text(program_variables(needs, environment_of(std::move(present))),
                        VariableFormat::sh);
}

std::string problems(std::map<std::string, std::string> present,
                     const ProxyAccess& proxy = kProxy) {
  std::string text;
  for (const std::string& problem :
       proxy_environment_problems(proxy, environment_of(std::move(present))))
    text += problem + "\n";
  return text;
}

// A host with an authority and an agent that listens on 127.0.0.1:4180 and, as a proxy, on :4181.
struct ProxyHost {
  AuthorityScene scene;
  std::optional<std::string> listen;
  CallMode mode = CallMode::automatic;
  bool running = false;
  std::map<std::string, std::string> variables = {{"HOME", "/nonexistent"}};

  explicit ProxyHost(const std::string& settings = "") {
    scene.directory.write("invlog.toml", kRegion + "state_dir = \"" + scene.directory.path() +
                                             "\"\n[proxy]\n" + settings);
  }
  AgentSearch search() const {
    AgentSearch search;
    search.default_config_file = scene.path("invlog.toml");
    search.environment = environment_of(variables);
    search.is_invlog = [running = running](std::int64_t) { return running; };
    search.sockets_of_unit = [](const std::string&) { return std::vector<std::string>(); };
    search.listen = listen;
    search.mode = mode;
    return search;
  }
  // "proxy ADDRESS" or "endpoint ADDRESS", or the error; a warning before it.
  std::string found() const {
    std::ostringstream err;
    int exit_code = 0;
    const auto agent = find_agent(search(), err, exit_code);
    CHECK(exit_code == (agent ? 0 : 1));
    return err.str() +
           (agent ? (agent->proxy ? "proxy " : "endpoint ") + agent->endpoint.address() : "");
  }
};

}  // namespace

TEST_CASE("proxy mode sets a proxy and whom to trust, and no endpoint", "[ca]") {
  const std::string usual =
      "HTTPS_PROXY=http://127.0.0.1:4181\nhttps_proxy=http://127.0.0.1:4181\n"
      "AWS_CA_BUNDLE=/s/ca-bundle.pem\nSSL_CERT_FILE=/s/ca-bundle.pem\n"
      "REQUESTS_CA_BUNDLE=/s/ca-bundle.pem\nNODE_EXTRA_CA_CERTS=/s/ca.pem\n"
      "NODE_USE_ENV_PROXY=1\n";
  CHECK(docker_text({}) == usual);
  CHECK(docker_text({{"HTTPS_PROXY", "http://company:3128"}, {"http_proxy", "http://c:1"}}) ==
        usual);
  CHECK(docker_text({}, true) == usual + "OPENAI_BASE_URL=https://" + kBedrock + "/openai/v1\n");
  CHECK(contains(docker_text({{"CURL_CA_BUNDLE", "/x"}}), "CURL_CA_BUNDLE=/s/ca-bundle.pem\n"));
  CHECK(contains(docker_text({{"NODE_EXTRA_CA_CERTS", "/x"}}),
                 "NODE_EXTRA_CA_CERTS=/s/ca-bundle.pem\n"));
}

TEST_CASE("in proxy mode an endpoint over plain HTTP must go", "[ca]") {
  const std::map<std::string, std::string> endpoint_mode = {
      {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "http://127.0.0.1:4180"},
      {"ANTHROPIC_BEDROCK_BASE_URL", "http://127.0.0.1:4180"}};
  CHECK(
      shell_text(endpoint_mode)
          .ends_with("unset AWS_ENDPOINT_URL_BEDROCK_RUNTIME\nunset ANTHROPIC_BEDROCK_BASE_URL\n"));
  CHECK_FALSE(contains(docker_text(endpoint_mode), "ENDPOINT"));
  CHECK(variables_text({{"A", "1"}, {"B", "", true}}, VariableFormat::json) ==
        "{\"A\":\"1\",\"B\":null}\n");
  CHECK(problems(endpoint_mode) == "");

  // One that is Bedrock's comes to the proxy, and stays.
  const std::string vpc = "https://vpce-1." + kVpcEndpoints;
  CHECK_FALSE(contains(shell_text({{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", vpc}}), "unset"));
  CHECK(problems({{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", vpc}}) == "");
  CHECK(problems({{"ANTHROPIC_BEDROCK_BASE_URL", "https://gateway.example/x"}}) ==
        "ANTHROPIC_BEDROCK_BASE_URL=https://gateway.example/x leads programs past the agent in "
        "proxy mode; unset it\n");
  CHECK(
      contains(problems({{"AWS_ENDPOINT_URL", "http://localhost:4566"}}), "AWS_ENDPOINT_URL=http"));
  CHECK(problems({{"AWS_ENDPOINT_URL", "http://localhost:4566"},
                  {"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", vpc}}) == "");
}

TEST_CASE("a NO_PROXY that exempts Bedrock is told", "[ca]") {
  for (const char* entry : {"*", "amazonaws.com", ".amazonaws.com", "*.amazonaws.com",
                            ".AmazonAWS.com:443", "bedrock-runtime.eu-central-1.amazonaws.com",
                            "vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com"}) {
    INFO(entry);
    const std::string list = std::string("localhost, ") + entry;
    CHECK(contains(problems({{"NO_PROXY", list}}),
                   std::string("NO_PROXY has ") + entry + ": programs will call bedrock-runtime."));
    CHECK(contains(problems({{"no_proxy", list}}), "no_proxy has "));
  }
  CHECK(problems({{"NO_PROXY", "localhost,127.0.0.1,::1,.internal,s3.amazonaws.com,naws.com,."}}) ==
        "");
}

TEST_CASE("trust that a program had of its own and would lose is told", "[ca]") {
  AuthorityScene scene, company;
  scene.create();
  company.create();
  company.rotate();
  const ProxyAccess proxy{kProxy.endpoint, scene.path("ca.pem"), scene.path("ca-bundle.pem"), {}};
  const std::string theirs = company.path("ca.pem");
  const std::string told = problems({{"AWS_CA_BUNDLE", theirs}, {"SSL_CERT_FILE", theirs}}, proxy);
  CHECK(told == "AWS_CA_BUNDLE=" + theirs +
                    " is replaced, and 2 certificates of it not in the replacement: "
                    "`SSL_CERT_FILE=" +
                    theirs + " invlog ca bundle --update` takes them in\n");
  CHECK(problems({{"AWS_CA_BUNDLE", proxy.bundle_file}, {"NODE_EXTRA_CA_CERTS", proxy.ca_file}},
                 proxy) == "");
  REQUIRE(invlog::proxy::AuthorityFiles(scene.directory.path()).update_bundle(company.trusted()));
  CHECK(problems({{"AWS_CA_BUNDLE", theirs}, {"NODE_EXTRA_CA_CERTS", theirs}}, proxy) == "");
}

TEST_CASE("proxy mode is taken where there is an authority, unless something else is said",
          "[ca]") {
  ProxyHost host;
  CHECK(host.found() == "endpoint 127.0.0.1:4180");
  host.mode = CallMode::proxy;
  CHECK(contains(host.found(), "there is no certificate authority in "));
  host.scene.create();
  CHECK(host.found() == "proxy 127.0.0.1:4181");
  host.listen = "localhost:5000";
  CHECK(host.found() == "proxy 127.0.0.1:5000");
  host.listen = "nowhere";
  CHECK(contains(host.found(), "--listen: nowhere is not HOST:PORT"));
  host.mode = CallMode::automatic;
  host.listen = "127.0.0.1:5000";
  CHECK(host.found() == "endpoint 127.0.0.1:5000");
  host.listen.reset();
  CHECK(host.found() == "proxy 127.0.0.1:4181");
  host.scene.directory.write("status.json",
                             R"({"pid":1,"listen":"127.0.0.1:9","proxy":"127.0.0.1:4999"})");
  CHECK(host.found() == "proxy 127.0.0.1:4181");
  host.running = true;
  CHECK(host.found() == "proxy 127.0.0.1:4999");
  host.scene.directory.write("status.json", R"({"pid":1,"listen":"127.0.0.1:9","proxy":""})");
  CHECK(host.found() ==
        "invlog: the agent that runs does not listen in proxy mode: it was started before there "
        "was what that needs; restart it (systemctl restart invlog)\nproxy 127.0.0.1:4181");
  host.mode = CallMode::endpoint;
  CHECK(host.found() == "endpoint 127.0.0.1:9");

  ProxyHost off("listen = \"\"\n");
  off.scene.create();
  CHECK(off.found() == "endpoint 127.0.0.1:4180");
  off.mode = CallMode::proxy;
  CHECK(contains(off.found(), "proxy mode is off"));
  ProxyHost any_port("listen = \"127.0.0.1:0\"\n");
  any_port.scene.create();
  CHECK(contains(any_port.found(), "the kernel picks the port"));
}

TEST_CASE("who may not read the authority's files is told how", "[ca]") {
  ProxyHost host;
  host.scene.create();
  ::unlink(host.scene.path("ca-bundle.pem").c_str());
  CHECK(contains(host.found(),
                 "ca-bundle.pem cannot be read: No such file or directory; `invlog ca "
                 "bundle --update` makes it"));
  host.scene.directory.write("ca.pem", "");
  host.scene.directory.write("ca-bundle.pem", "");
  CHECK(contains(host.found(), "ca.pem is damaged"));
}

TEST_CASE("env and exec set proxy mode's variables", "[ca]") {
  ProxyHost host;
  host.scene.create();
  host.variables["NO_PROXY"] = "*";
  host.variables["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = "http://127.0.0.1:4180";
  std::ostringstream out, err;
  EnvOptions options;
  options.search = host.search();
  CHECK(run_env(options, out, err) == 0);
  CHECK(contains(out.str(), "export AWS_CA_BUNDLE='" + host.scene.path("ca-bundle.pem") + "'\n"));
  CHECK(contains(out.str(), "export NODE_EXTRA_CA_CERTS='" + host.scene.path("ca.pem") + "'\n"));
  CHECK(contains(out.str(), "export AWS_REGION='eu-central-1'\n"));
  CHECK(contains(err.str(), "invlog: NO_PROXY has *: programs will call"));

  ProgramVariables variables;
  std::string asked;
  ProgramStarter starter = this_process(false);
  starter.answers = [&](const AgentEndpoint& endpoint) {
    asked = endpoint.address();
    return false;
  };
  starter.become = [&](const std::vector<std::string>&, const ProgramVariables& set) {
    variables = set;
    return EACCES;
  };
  ExecOptions exec;
  exec.search = host.search();
  exec.program = {"app"};
  CHECK(run_exec(exec, starter, err) == 126);
  CHECK(asked == "127.0.0.1:4181");
  CHECK(contains(err.str(), "was it restarted after `invlog ca init`?"));
  const ProgramVariable gone{"AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "", true};
  CHECK(std::find(variables.begin(), variables.end(), gone) != variables.end());
}

#include "agent/cli/program_commands.h"

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "agent/cli/agent_search.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::cli;
using namespace invlog::tests;
using std::chrono::milliseconds;

namespace {

// A host with a configuration, and perhaps an agent that says where it listens.
struct Host {
  TemporaryDirectory directory;
  std::vector<std::string> asked_units, unit_sockets;
  std::map<std::string, std::string> variables = {{"HOME", directory.path()}};

  void configure(const std::string& listen, const std::string& file = "invlog.toml") {
    directory.write(
        file, kRegion + "state_dir = \"" + directory.path() + "\"\nlisten = " + listen + "\n");
  }
  void agent_says(const std::string& listen, int pid = 4242) {
    directory.write("status.json", R"({"region":"eu-west-1","pid":)" + std::to_string(pid) +
                                       R"(,"listen":")" + listen + "\"}");
  }
  AgentSearch search() {
    AgentSearch search;
    search.default_config_file = directory.path() + "/invlog.toml";
    search.environment = environment_of(variables);
    search.is_invlog = [](std::int64_t pid) { return pid == 4242; };
    search.sockets_of_unit = [this](const std::string& unit) {
      asked_units.push_back(unit);
      return unit_sockets;
    };
    return search;
  }
};

CommandAnswer env_told(const AgentSearch& search) {
  std::ostringstream out, err;
  EnvOptions options;
  options.search = search;
  options.format = VariableFormat::docker;
  const int exit_code = run_env(options, out, err);
  return {exit_code, out.str(), err.str()};
}

// "127.0.0.1:4180 eu-central-1", or the error.
std::string found(const AgentSearch& search) {
  std::ostringstream err;
  int exit_code = 0;
  const auto agent = find_agent(search, err, exit_code);
  CHECK(agent.has_value() == (exit_code == 0));
  return agent ? agent->endpoint.address() + " " + agent->region : err.str();
}

// A world in which the agent listens after so many looks, and each look takes a moment.
struct World {
  int looks_until_it_listens = 0;
  int failure = ENOENT;  // of becoming the program
  std::chrono::steady_clock::time_point time{};
  std::vector<std::string> program;
  ProgramVariables variables;

  ProgramStarter starter() {
    return {[this](const AgentEndpoint&) { return looks_until_it_listens-- <= 0; },
            [this] { return time; }, [this](milliseconds slept) { time += slept; },
            [this](const std::vector<std::string>& started, const ProgramVariables& set) {
              program = started;
              variables = set;
              return failure;
            }};
  }
};

CommandAnswer exec_told(Host& host, World& world, std::optional<milliseconds> wait = {}) {
  ExecOptions options;
  options.search = host.search();
  options.wait = wait;
  options.program = {"app", "--flag", "a b"};
  std::ostringstream err;
  const int exit_code = run_exec(options, world.starter(), err);
  return {exit_code, "", err.str()};
}

}  // namespace

TEST_CASE("the agent is where it says, else where systemd listens, else where it is configured") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  CHECK(found(host.search()) == "127.0.0.1:4190 eu-central-1");
  CHECK(host.asked_units == std::vector<std::string>{"invlog.socket"});

  host.unit_sockets = {"unix:/run/invlog/invlog.sock", "[::]:8080"};
  CHECK(found(host.search()) == "[::1]:8080 eu-central-1");

  host.agent_says("127.0.0.1:4999");
  CHECK(found(host.search()) == "127.0.0.1:4999 eu-west-1");
  host.agent_says("127.0.0.1:4999", 1);  // which has ended
  CHECK(found(host.search()) == "[::1]:8080 eu-central-1");

  AgentSearch search = host.search();
  host.agent_says("127.0.0.1:4999");
  search.listen = "localhost:5000";
  CHECK(found(search) == "127.0.0.1:5000 eu-west-1");
}

TEST_CASE("an agent that cannot be heard is told, where its word would have counted") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  const std::string status = host.directory.write("status.json", "{\"listen\":");
  const std::string told = "invlog: " + status +
                           " is not the JSON object that an agent writes, so nobody says where the "
                           "agent listens: the configured address is taken\n";
  CHECK(env_told(host.search()).err == told);
  CHECK(contains(env_told(host.search()).out, "=http://127.0.0.1:4190\n"));
  AgentSearch search = host.search();
  search.listen = "127.0.0.1:5000";
  CHECK(env_told(search).err == "");
  host.unit_sockets = {"127.0.0.1:8080"};
  CHECK(env_told(host.search()).err == "");

  AuthorityScene scene;
  scene.create();
  scene.directory.write("status.json", "");
  search = host.search();
  search.state_dir = scene.directory.path();
  CHECK(contains(env_told(search).err, "the configured address is taken"));
  CHECK(contains(env_told(search).out, "HTTPS_PROXY=http://127.0.0.1:4181\n"));
  search.mode = CallMode::proxy;
  search.listen = "127.0.0.1:5000";
  CHECK(env_told(search).err == "");
}

TEST_CASE("only the service's configurations have a socket unit") {
  CHECK(socket_unit_of("/etc/invlog/invlog.toml", "/etc/invlog/invlog.toml") == "invlog.socket");
  CHECK(socket_unit_of("/etc/invlog/eu-west-1/invlog.toml", "/etc/invlog/invlog.toml") ==
        "invlog@eu-west-1.socket");
  CHECK(socket_unit_of("/home/me/invlog.toml", "/etc/invlog/invlog.toml") == "");
  CHECK(socket_unit_of("/etc/invlog/eu-west-1/notes.toml", "/etc/invlog/invlog.toml") == "");
  CHECK(socket_unit_of("/etc/invlog/notes", "/etc/invlog/invlog.toml") == "");

  Host host;
  host.unit_sockets = {"127.0.0.1:8080"};
  AgentSearch search = host.search();
  search.state_dir = host.directory.path();
  CHECK(found(search) == "127.0.0.1:4180 ");  // nobody says a Region
  CHECK(host.asked_units.empty());
}

TEST_CASE("an address that no URL can name is an error that says what to do") {
  Host host;
  host.configure("\"unix:/run/x.sock\"");
  CHECK(contains(found(host.search()), "listens on unix:/run/x.sock only, and no URL"));
  CHECK(contains(found(host.search()),
                 "ListenStream=127.0.0.1:4180 in its socket unit (systemctl edit invlog.socket)"));
  host.configure("\"127.0.0.1:4190\"", "eu-west-1/invlog.toml");
  host.unit_sockets = {"unix:/run/invlog/eu-west-1.sock"};
  AgentSearch of_region = host.search();
  of_region.config_file = host.directory.path() + "/eu-west-1/invlog.toml";
  CHECK(contains(found(of_region),
                 "ListenStream=127.0.0.1:4190 in its socket unit (systemctl "
                 "edit invlog@eu-west-1.socket)"));
  host.unit_sockets.clear();
  host.agent_says("unix:/run/y.sock");
  CHECK(contains(found(host.search()), "unix:/run/y.sock only"));
  CHECK(env_told(host.search()).exit_code == 1);
  CHECK(env_told(host.search()).out == "");

  host.configure("[\"127.0.0.1:0\", \"unix:/run/x.sock\"]");
  host.agent_says("", 1);
  CHECK(contains(found(host.search()), "no running agent was found"));
  host.agent_says("127.0.0.1:33001");
  CHECK(found(host.search()) == "127.0.0.1:33001 eu-west-1");

  host.directory.write("invlog.toml", "[agent]\nlistne = 1\n");
  CHECK(contains(found(host.search()), ":2:1: unknown key \"listne\""));
  CHECK(contains(found(host.search()), "with --listen HOST:PORT"));
  AgentSearch search = host.search();
  search.listen = "127.0.0.1:5000";
  CHECK(found(search) == "127.0.0.1:5000 ");
  search.listen = "nowhere";
  CHECK(contains(found(search), "--listen: \"nowhere\""));
  search.listen = "127.0.0.1:5000";
  search.config_file = search.default_config_file;
  CHECK(contains(found(search), "unknown key"));
  CHECK(env_told(host.search()).exit_code == 2);
}

TEST_CASE("env prints what to set, and leaves the Region to a profile that says one") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  const std::string urls =
      "AWS_ENDPOINT_URL_BEDROCK_RUNTIME=http://127.0.0.1:4190\n"
      "ANTHROPIC_BEDROCK_BASE_URL=http://127.0.0.1:4190\n";
  CHECK(env_told(host.search()).out ==
        urls + "AWS_REGION=eu-central-1\nAWS_DEFAULT_REGION=eu-central-1\n");
  host.directory.write(".aws/config", "[profile work]\nregion = us-east-1\n");
  CHECK(contains(env_told(host.search()).out, "AWS_REGION=eu-central-1"));
  host.variables["AWS_PROFILE"] = "work";
  CHECK(env_told(host.search()).out == urls);
  CHECK(env_told(host.search()).err == "");
  host.variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  CHECK(contains(env_told(host.search()).err, "unset it"));
}

TEST_CASE("a profile that has SDKs overlook endpoints is overruled") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  const std::string overruled = "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false\n";
  host.directory.write(".aws/config", "[default]\nignore_configured_endpoint_urls = True\n");
  CHECK(contains(env_told(host.search()).out, overruled));
  CHECK(env_told(host.search()).err == "");
  World world;
  exec_told(host, world);
  CHECK(std::find(world.variables.begin(), world.variables.end(),
                  ProgramVariable{"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "false"}) !=
        world.variables.end());
  host.variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";  // whoever set it has chosen
  CHECK_FALSE(contains(env_told(host.search()).out, overruled));
  CHECK(contains(env_told(host.search()).err, "unset it"));
  host.variables.erase("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
  host.variables["AWS_PROFILE"] = "work";
  CHECK_FALSE(contains(env_told(host.search()).out, overruled));
  host.directory.write(".aws/config", "[nonsense\n");  // which might say it
  CHECK(contains(env_told(host.search()).out, overruled));
}

TEST_CASE("a profile's own endpoint leads past the agent in proxy mode only") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  host.directory.write(".aws/config", "[default]\nendpoint_url = http://localhost:4566\n");
  CHECK(env_told(host.search()).err == "");
  AuthorityScene scene;
  scene.create();
  AgentSearch search = host.search();
  search.state_dir = scene.directory.path();
  const std::string told = "/.aws/config:2: endpoint_url=http://localhost:4566 leads programs past";
  CHECK(contains(env_told(search).err, told));
  host.variables["AWS_ENDPOINT_URL"] = "https://" + kBedrock;  // which overrules it
  search.environment = environment_of(host.variables);
  CHECK_FALSE(contains(env_told(search).err, "leads programs past"));
  host.variables.erase("AWS_ENDPOINT_URL");
  host.variables["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true";
  search.environment = environment_of(host.variables);
  CHECK_FALSE(contains(env_told(search).err, "leads programs past"));
}

TEST_CASE("exec becomes the program with the variables set") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  World world;
  const CommandAnswer told = exec_told(host, world);
  CHECK(world.program == std::vector<std::string>{"app", "--flag", "a b"});
  CHECK(world.variables.size() == 4);
  CHECK(told.exit_code == 127);
  CHECK(told.err == "invlog: app: no such program in the directories of PATH\n");
  world.failure = EACCES;
  CHECK(exec_told(host, world).exit_code == 126);
  CHECK(exec_told(host, world).err == "invlog: app cannot be executed: Permission denied\n");
}

TEST_CASE("exec warns where nobody listens, and with --wait does not start the program") {
  Host host;
  host.configure("\"127.0.0.1:4190\"");
  World world;
  world.looks_until_it_listens = 1;
  CHECK(contains(exec_told(host, world).err, "invlog: nobody listens on 127.0.0.1:4190: is"));
  CHECK_FALSE(world.program.empty());

  world = {};
  world.looks_until_it_listens = 20;
  CommandAnswer told = exec_told(host, world, milliseconds(1500));
  CHECK(told.exit_code == 1);
  CHECK(told.err == "invlog: nobody listens on 127.0.0.1:4190 after 1.5 s: app was not started\n");
  CHECK(world.program.empty());

  world = {};
  world.looks_until_it_listens = 15;
  told = exec_told(host, world, milliseconds(1500));
  CHECK_FALSE(contains(told.err, "nobody"));
  CHECK_FALSE(world.program.empty());

  world = {};
  world.looks_until_it_listens = 15;
  CHECK_FALSE(contains(exec_told(host, world, milliseconds::max()).err, "nobody"));
}

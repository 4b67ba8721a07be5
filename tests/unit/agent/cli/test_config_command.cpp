#include "agent/cli/config_command.h"

#include <sstream>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

CommandAnswer told(int (*command)(const ConfigOptions&, std::ostream&, std::ostream&),
                   const ConfigOptions& options) {
  std::ostringstream out, err;
  const int exit_code = command(options, out, err);
  return {exit_code, out.str(), err.str()};
}

ConfigOptions options_with(const std::string& file) {
  ConfigOptions options;
  options.sources = no_sources();
  options.sources.file = file;
  options.sources.instance_region = []() -> std::string {
    FAIL("the network was asked");
    return "";
  };
  return options;
}

}  // namespace

TEST_CASE("check-config says which files it read, and that they are valid") {
  const TemporaryDirectory directory;
  const std::string file = directory.write("c.toml", kRegion);
  const std::string more = directory.write("conf.d/1.toml", "[agent]\nlog_level = \"debug\"\n");
  ConfigOptions options = options_with(file);
  CommandAnswer answer = told(run_check_config, options);
  CHECK(answer.exit_code == 0);
  CHECK(answer.err.empty());
  CHECK(answer.out == "read " + file + "\nread " + more +
                          "\nthe configuration is valid, source Region eu-central-1\n");
  options.json = true;
  CHECK(told(run_check_config, options).out ==
        R"({"valid":true,"region":"eu-central-1","files":[")" + file + "\",\"" + more +
            "\"],\"problems\":[],\"warnings\":[]}\n");

  directory.write("c.toml", "");
  options.json = false;
  answer = told(run_check_config, options);
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "says no Region"));
  options.sources.file.reset();
  options.sources.default_file = "/nonexistent/invlog.toml";
  answer = told(run_check_config, options);
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "no file was read: /nonexistent/invlog.toml does not exist"));
  const TemporaryDirectory alone;
  options.sources.file = alone.write("c.toml", "[agent\n");
  answer = told(run_check_config, options);
  CHECK(answer.exit_code == 2);
  CHECK(answer.out == "nothing could be used of " + *options.sources.file + "\n");
}

TEST_CASE("check-config warns of what is taken and yet probably not meant") {
  const TemporaryDirectory directory;
  const std::string file =
      directory.write("c.toml", kRegion + "[policy]\ndeny = [\"global\", \"geo:ue\"]\n");
  ConfigOptions options = options_with(file);
  CommandAnswer answer = told(run_check_config, options);
  CHECK(answer.exit_code == 0);
  CHECK(answer.err == "invlog check-config: warning: " + file +
                          ":4:8: deny: \"geo:ue\" probably matches no call: no known profile has "
                          "it; did you mean \"geo:eu\"?\n");
  CHECK(contains(answer.out, "the configuration is valid"));
  options.json = true;
  answer = told(run_check_config, options);
  CHECK(answer.err.empty());
  CHECK(contains(answer.out, "{\"valid\":true,"));
  CHECK(contains(answer.out, "\"problems\":[],\"warnings\":[\"" + file + ":4:8: deny: "));
}

TEST_CASE("check-config warns of an upstream that is the agent itself") {
  const TemporaryDirectory directory;
  const auto answer = [&](const std::string& upstream, const std::string& more = "") {
    return told(run_check_config,
                options_with(directory.write(
                    "c.toml", kRegion + "upstream = \"" + upstream + "\"\n" + more)));
  };
  for (const char* upstream : {"http://127.0.0.1:4180", "http://localhost:4180",
                               "http://127.1:4180", "http://0.0.0.0:4180"}) {
    const CommandAnswer warned = answer(upstream);
    CHECK(warned.exit_code == 0);  // a service manager's socket may take the place of `listen`
    CHECK(contains(warned.err, "check-config: warning: upstream: \"" + std::string(upstream) +
                                   "\" is this agent itself"));
  }
  CHECK(contains(answer("http://[::1]:80", "listen = \"[::1]:80\"\n").err, "itself"));
  CHECK(contains(answer("https://127.0.0.1", "listen = \"127.0.0.1:443\"\n").err, "itself"));
  CHECK(answer("http://127.0.0.1:4181").err.empty());  // proxy mode is off
  CHECK(answer("http://127.0.0.2:4180").err.empty());
  CHECK(answer("https://127.0.0.1:8443").err.empty());
}

TEST_CASE("check-config warns of a company's proxy that an agent would refuse") {
  const TemporaryDirectory directory;
  ConfigOptions options = options_with(directory.write("c.toml", kRegion));
  options.sources.environment = environment_of({{"HTTPS_PROXY", "socks5://proxy.example:1080"}});
  const CommandAnswer answer = told(run_check_config, options);
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.err, "check-config: warning: HTTPS_PROXY: expected http://"));
  options.sources.environment = environment_of({{"HTTPS_PROXY", "http://proxy.example:1080"}});
  CHECK(told(run_check_config, options).err.empty());
}

TEST_CASE("check-config lists every problem, and shows no password") {
  const TemporaryDirectory directory;
  const std::string file = directory.write(
      "c.toml", kRegion + "upstream = \"https://me:hush@example.org\"\nlog_levle = \"info\"\n");
  ConfigOptions options = options_with(file);
  CommandAnswer answer = told(run_check_config, options);
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err, "invlog check-config: " + file + ":3:12: upstream: "));
  CHECK(contains(answer.err, "invlog check-config: " + file +
                                 ":4:1: unknown key \"log_levle\" in [agent]; did you mean "
                                 "\"log_level\"?\n"));
  CHECK(!contains(answer.out, "valid"));
  CHECK(!contains(answer.err, "hush"));
  options.json = true;
  answer = told(run_check_config, options);
  CHECK(answer.exit_code == 2);
  CHECK(answer.err.empty());
  CHECK(contains(answer.out, R"({"valid":false,)"));
  CHECK(contains(answer.out, R"("problems":[")" + file + ":4:1: "));
  CHECK(told(run_config_effective, options).exit_code == 2);
  CHECK(!contains(told(run_config_effective, options).err, "hush"));
}

TEST_CASE("config --effective prints what can be read again") {
  const TemporaryDirectory directory;
  ConfigOptions options = options_with(directory.write("c.toml", kRegion));
  options.sources.flags = {{"log_level", "debug"}};
  const CommandAnswer answer = told(run_config_effective, options);
  CHECK(answer.exit_code == 0);
  CHECK(contains(answer.out, "# from " + *options.sources.file + "\n"));
  CHECK(contains(answer.out, "log_level = \"debug\"  # flag --log-level\n"));
  const auto again = from_file(answer.out);
  REQUIRE(error_of(again) == "(no error)");
  CHECK(again->log_level == "debug");
  options.json = true;
  CHECK(contains(told(run_config_effective, options).out, R"({"agent":{"region":)"));
}

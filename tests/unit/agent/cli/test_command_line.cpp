#include "agent/cli/command_line.h"

#include <sstream>
#include <vector>

#include "agent/config/settings.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::config::AgentConfig;
using invlog::tests::CommandAnswer;
using invlog::tests::contains;
using invlog::tests::ExampleStore;
using invlog::tests::TemporaryDirectory;

namespace {

CommandAnswer invlog_command(std::vector<const char*> arguments,
                             const std::function<int(const AgentConfig&)>& run_agent = {}) {
  std::ostringstream out, err;
  arguments.insert(arguments.begin(), "invlog");
  const int exit_code = run_command_line(
      static_cast<int>(arguments.size()), arguments.data(),
      {out, err, 0, 0,
       [&run_agent](const AgentConfig& configuration, invlog::config::ConfigReloader&) {
         return run_agent(configuration);
       }});
  return {exit_code, out.str(), err.str()};
}

}  // namespace

TEST_CASE("help and version are success, wrong usage is exit code 2") {
  CHECK(invlog_command({"--version"}).out == "invlog 0.1.0\n");
  CHECK(invlog_command({"--help"}).exit_code == 0);
  for (const char* command :
       {"agent", "query", "show", "tail", "search", "usage", "status", "verify", "export", "report",
        "ship", "doctor", "check-config", "config", "env", "exec"}) {
    INFO(command);
    CHECK(contains(invlog_command({"--help"}).out, command));
    const CommandAnswer help = invlog_command({command, "--help"});
    CHECK(help.exit_code == 0);
    CHECK(contains(help.out, std::string("Examples:\n  invlog ") + command));
    CHECK(contains(help.out, "--config FILE"));
    CHECK(contains(help.out, "--state-dir"));
    const CommandAnswer wrong = invlog_command({command, "--no-such-option"});
    CHECK(wrong.exit_code == 2);
    CHECK(contains(wrong.err, "Run with --help for more information."));
  }
  for (const char* command : {"agent", "check-config"}) {
    CHECK(invlog_command({command, "--region", "eu-central-1", "stray"}).exit_code == 2);
    CHECK(invlog_command({command, "--listen", "127.0.0.1:1", "127.0.0.1:2"}).exit_code == 2);
  }
  CHECK(invlog_command({}).exit_code == 2);
  CHECK(contains(invlog_command({"quer"}).err, "no command \"quer\"; did you mean \"query\"?"));
  CHECK(invlog_command({"quer"}).exit_code == 2);
  CHECK(invlog_command({"query"}).exit_code == 2);
  CHECK(invlog_command({"query", "--json", "--csv", "SELECT 1"}).exit_code == 2);
  CHECK(invlog_command({"show", "1", "--record", "--json"}).exit_code == 2);
  CHECK(invlog_command({"search", "x", "--in", "nowhere"}).exit_code == 2);
  CHECK(invlog_command({"usage", "--by", "weather"}).exit_code == 2);
  CHECK(invlog_command({"tail", "-n", "-1"}).exit_code == 2);
  CHECK(contains(invlog_command({"ship"}).err, "--once is required"));
  CHECK(invlog_command({"ship", "--once", "--destination", "kafka"}).exit_code == 2);
  CHECK(contains(invlog_command({"exec"}).err, "write -- before the program"));
  CHECK(contains(invlog_command({"exec", "--"}).err, "write -- before the program"));
  CHECK(contains(invlog_command({"exec", "ls"}).err, "invlog exec -- ls ..."));
  CHECK(invlog_command({"exec", "--wait", "soon", "--", "ls"}).exit_code == 2);
  CHECK(invlog_command({"env", "--format", "yaml"}).exit_code == 2);
  CHECK(invlog_command({"env", "--format", "sh", "--json"}).exit_code == 2);
  CHECK(invlog_command({"dead-letters"}).exit_code == 2);
  CHECK(invlog_command({"dead-letters", "show", "x"}).exit_code == 2);
  for (const char* command : {"list", "show", "retry", "drop"}) {
    const CommandAnswer help = invlog_command({"dead-letters", command, "--help"});
    CHECK(contains(help.out, std::string("Examples:\n  invlog dead-letters ") + command));
  }
  CHECK(invlog_command({"ca"}).exit_code == 2);
  CHECK(invlog_command({"ca", "show", "--json", "--pem"}).exit_code == 2);
  CHECK(invlog_command({"ca", "bundle", "--update", "--output", "x"}).exit_code == 2);
  CHECK(invlog_command({"env", "--mode", "direct"}).exit_code == 2);
  for (const char* command : {"init", "show", "rotate", "bundle"}) {
    const CommandAnswer help = invlog_command({"ca", command, "--help"});
    CHECK(contains(help.out, std::string("invlog ca ") + command));
    CHECK(contains(help.out, "--config FILE"));
    CHECK(contains(help.out, "--state-dir DIR"));
    CHECK(contains(help.out, "--region REGION"));
  }
}

TEST_CASE("what is not known is said first, with what was probably meant") {
  const auto refusal = [](std::vector<const char*> arguments) {
    const CommandAnswer answer = invlog_command(std::move(arguments));
    CHECK(answer.exit_code == 2);
    CHECK(answer.out.empty());
    return answer.err;
  };
  const std::string help = "\nRun with --help for more information.\n";
  CHECK(refusal({"agent", "--regoin", "eu-west-1"}) ==
        "invlog: there is no option \"--regoin\"; did you mean \"--region\"?" + help);
  CHECK(refusal({"show", "--stor=x"}) ==  // that ID is missing may come of it
        "invlog: there is no option \"--stor\"; did you mean \"--store\"?" + help);
  CHECK(refusal({"status", "--zzzzzzzzzz"}) ==
        "invlog: there is no option \"--zzzzzzzzzz\"" + help);
  CHECK(refusal({"--verion"}) ==
        "invlog: there is no option \"--verion\"; did you mean \"--version\"?" + help);
  CHECK(refusal({"ca", "shw"}) ==
        "invlog: there is no command \"shw\"; did you mean \"show\"?" + help);
  CHECK(refusal({"dead-letters", "list", "--destnation", "s3"}) ==
        "invlog: there is no option \"--destnation\"; did you mean \"--destination\"?" + help);
  CHECK(refusal({"status", "extra"}) ==
        "invlog: nothing is expected where \"extra\" stands" + help);
}

TEST_CASE("show's options stand with the others, and each excludes the others") {
  const std::string help = invlog_command({"show", "--help"}).out;
  CHECK(!contains(help, "Option Group"));
  CHECK(contains(help, "\n  --response                  the response's bytes"));
  for (const char* other : {"--record", "--request", "--response"}) {
    CHECK(invlog_command({"show", "1", "--json", other}).exit_code == 2);
    CHECK(invlog_command({"show", "1", other, "--json"}).exit_code == 2);
  }
}

TEST_CASE("what an option does not take is said in plain words") {
  const auto refusal = [](std::vector<const char*> arguments) {
    const CommandAnswer answer = invlog_command(std::move(arguments));
    CHECK(answer.exit_code == 2);
    const std::string prefix = "invlog: ";
    CHECK(answer.err.starts_with(prefix));
    return answer.err.substr(prefix.size(), answer.err.find('\n') - prefix.size());
  };
  CHECK(refusal({"tail", "-n", "x"}) == "--lines: \"x\" is no whole number");
  CHECK(refusal({"tail", "-n", "1.5"}) == "--lines: \"1.5\" is no whole number");
  CHECK(refusal({"tail", "-n", ""}) == "--lines: \"\" is no whole number");
  CHECK(refusal({"tail", "-n", "-1"}) == "--lines: \"-1\" is less than 0");
  CHECK(refusal({"tail", "-n", "9223372036854775808"}) ==
        "--lines: \"9223372036854775808\" is too large or too small a number");
  CHECK(refusal({"search", "x", "--limit", "0"}) == "--limit: \"0\" is less than 1");
  CHECK(refusal({"search", "x", "--in", "foo"}) ==
        "--in: \"foo\" is none of request, response, both");
  CHECK(refusal({"usage", "--by", "foo"}) ==
        "--by: \"foo\" is none of model, day, caller, decision, profile, scope");
  CHECK(refusal({"report", "--format", "xml"}) ==
        "--format: \"xml\" is none of md, html, json, csv");
  CHECK(contains(refusal({"report", "--format", "csv", "--table", "x"}), "is none of usage, "));
  CHECK(contains(refusal({"env", "--mode", "x"}), "is none of endpoint, proxy"));
  CHECK(contains(refusal({"env", "--format", "x"}), "is none of sh, systemd, docker"));
  CHECK(contains(refusal({"ship", "--once", "--destination", "x"}), "s3, cloudwatch_logs"));
  CHECK(contains(refusal({"profiles", "--scope", "x"}), "in-region, geographic, global"));
  CHECK(refusal({"dead-letters", "show", "x"}) == "ID: \"x\" is no whole number");
  CHECK(refusal({"dead-letters", "drop", "1", "x"}) == "ID: \"x\" is no whole number");
  // They are the list's, and `show` would pass them over.
  CHECK(refusal({"profiles", "--json", "show", "x"}) == "--json: belongs behind `show`");
  CHECK(contains(refusal({"profiles", "--state-dir", "/x", "refresh"}), "behind `refresh`"));
  // The number behind a name is not it.
  CHECK(contains(refusal({"search", "x", "--in", "1"}), "is none of"));
  CHECK(contains(refusal({"usage", "--by", "4"}), "is none of"));
  CHECK(contains(refusal({"env", "--mode", "1"}), "is none of"));
  for (const char* command : {"export", "report"}) {
    CHECK(refusal({command, "--output", ""}) == "--output: it needs a file's name");
  }
  CHECK(refusal({"ca", "bundle", "--output", ""}) == "--output: it needs a file's name");
  CHECK(refusal({"verify", "--heads", ""}) == "--heads: it needs a file's name");
  CHECK(contains(refusal({"ship", "--once", "--timeout", ""}), "--timeout: "));
  for (const char* nothing : {"0s", "0ms"}) {
    CHECK(contains(refusal({"ship", "--once", "--timeout", nothing}), "--timeout: 0 is no time"));
  }
  CHECK(contains(refusal({"exec", "--wait", "", "--", "ls"}), "--wait: "));
  for (const char* command : {"search", "usage", "tail", "report", "env", "profiles"}) {
    CHECK(!contains(invlog_command({command, "--help"}).out, "->"));
  }
}

TEST_CASE("an empty time is none, and not every time") {
  const ExampleStore store;
  const std::string path = store.path();
  for (const char* flag : {"--since", "--until"}) {
    const CommandAnswer answer = invlog_command({"export", flag, "", "--store", path.c_str()});
    CHECK(answer.exit_code == 2);
    CHECK(contains(answer.err, std::string(flag) + ": \"\" is no time"));
    CHECK(answer.out.empty());
  }
  CHECK(contains(invlog_command({"report", "--from", "", "--store", path.c_str()}).err,
                 "\"\" is no time"));
  CHECK(contains(invlog_command({"report", "--to", "", "--store", path.c_str()}).err,
                 "\"\" is no time"));
}

TEST_CASE("a number with zeros in front is a decimal one") {
  const ExampleStore store;
  const std::string path = store.path();
  const std::string all = invlog_command({"tail", "-n", "0006", "--store", path.c_str()}).out;
  CHECK(std::count(all.begin(), all.end(), '\n') == 6);
  const std::string two = invlog_command({"tail", "-n", "02", "--store", path.c_str()}).out;
  CHECK(std::count(two.begin(), two.end(), '\n') == 2);
}

TEST_CASE("each command reaches its store") {
  const ExampleStore store;
  const std::string path = store.path();
  const char* const file = path.c_str();
  CHECK(invlog_command({"query", "--store", file, "--csv", "SELECT count(*) AS n FROM invocations"})
            .out == "n\r\n6\r\n");
  CHECK(invlog_command(
            {"query", "--state-dir", store.directory().path().c_str(), "--json", "SELECT 1 AS a"})
            .out == "{\"a\":1}\n");
  CHECK(invlog_command({"show", "1", "--response", "--store", file}).out == "{\"text\":\"Hi\"}");
  CHECK(contains(invlog_command({"tail", "-n", "1", "--store", file}).out, "      6  "));
  CHECK(contains(invlog_command({"search", "--in", "request", "Hello", "--store", file}).out,
                 "request: "));
  CHECK(contains(invlog_command({"usage", "--by", "caller", "--csv", "--store", file}).out,
                 "caller,calls"));
  CHECK(contains(invlog_command({"status", "--json", "--store", file}).out, "\"records\":6"));
  CHECK(contains(invlog_command({"verify", "--store", file}).out, "is whole"));
  CHECK(contains(invlog_command({"export", "--since", "2026-10-07", "--store", file}).out,
                 "\"modelId\":\"image\""));
  const CommandAnswer wrong_time =
      invlog_command({"export", "--since", "Tuesday", "--store", file});
  CHECK(wrong_time.exit_code == 2);
  CHECK(contains(wrong_time.err, "\"Tuesday\" is no time"));
  CHECK(contains(invlog_command({"dead-letters", "list", "--store", file}).err, "there is none"));
  CHECK(invlog_command({"dead-letters", "show", "7", "--store", file}).exit_code == 1);
  CHECK(invlog_command({"dead-letters", "drop", "--all", "--store", file}).exit_code == 2);
  const CommandAnswer wrong_duration = invlog_command({"ship", "--once", "--timeout", "soon"});
  CHECK(wrong_duration.exit_code == 2);
  CHECK(contains(wrong_duration.err, "--timeout: \"soon\" does not begin with a whole number"));
  CHECK(invlog_command({"verify", "--store", "/nonexistent.db"}).exit_code == 1);
  CHECK(invlog_command({"export", "--output", "/nonexistent/x", "--store", file}).exit_code == 1);
}

TEST_CASE("the store is the configured one") {
  const ExampleStore store;
  const std::string configuration =
      store.directory().write("invlog.toml", "[agent]\nregion = \"eu-central-1\"\nstate_dir = \"" +
                                                 store.directory().path() + "\"\n");
  CHECK(
      invlog_command({"query", "--config", configuration.c_str(), "--json", "SELECT 1 AS a"}).out ==
      "{\"a\":1}\n");
  const std::string wrong =
      store.directory().write("wrong.toml", "[agent]\nregoin = \"eu-central-1\"\n");
  const CommandAnswer answer = invlog_command({"query", "--config", wrong.c_str(), "SELECT 1"});
  CHECK(answer.exit_code == 2);
  CHECK(contains(answer.err,
                 wrong + ":2:1: unknown key \"regoin\" in [agent]; did you mean \"region\"?"));
}

TEST_CASE("the agent runs on its flags and file") {
  const TemporaryDirectory directory;
  const std::string file =
      directory.write("c.toml", "[agent]\nregion = \"eu-west-1\"\nlog_level = \"error\"\n");
  AgentConfig seen;
  const auto run = [&seen](const AgentConfig& configuration) {
    seen = configuration;
    return 0;
  };
  const CommandAnswer answer = invlog_command(
      {"agent", "--config", file.c_str(), "--region", "eu-central-1", "--state-dir", "/tmp/x",
       "--listen", "127.0.0.1:0", "--listen", "unix:/tmp/x.sock", "--upstream",
       "http://127.0.0.1:9", "--durability", "strict", "--queue-size", "1MiB"},
      run);
  CHECK(answer.err == "");
  CHECK(answer.exit_code == 0);
  CHECK(seen.region == "eu-central-1");
  CHECK(seen.state_dir == "/tmp/x");
  CHECK(seen.listen_port == 0);
  CHECK(seen.listen_socket == "/tmp/x.sock");
  CHECK(seen.upstream == "http://127.0.0.1:9");
  CHECK(seen.durability == invlog::config::Durability::strict);
  CHECK(seen.queue_bytes == 1u << 20);
  CHECK(seen.log_level == "error");

  const CommandAnswer wrong =
      invlog_command({"agent", "--config", file.c_str(), "--durability", "hard"}, run);
  CHECK(wrong.exit_code == 2);
  CHECK(contains(wrong.err, "invlog agent: --durability: \"hard\" is none of"));
  const CommandAnswer failing = invlog_command(
      {"agent", "--config", file.c_str()},
      [](const AgentConfig&) -> int { throw std::runtime_error("127.0.0.1:4180: in use"); });
  CHECK(failing.exit_code == 1);
  CHECK(failing.err == "invlog agent: 127.0.0.1:4180: in use\n");
}

TEST_CASE("every key of [agent] has its flag") {
  const std::string help = invlog_command({"agent", "--help"}).out;
  for (const std::string_view key : invlog::config::agent_table().keys()) {
    std::string flag = "--" + std::string(key);
    std::replace(flag.begin(), flag.end(), '_', '-');
    INFO(flag);
    CHECK(contains(help, flag + " "));
  }
}

TEST_CASE("output that cannot be written is a failure") {
  const ExampleStore store;
  const std::string path = store.path();
  std::ostringstream out, err;
  out.setstate(std::ios::badbit);
  const char* arguments[] = {"invlog", "export", "--store", path.c_str()};
  CHECK(run_command_line(4, arguments, {out, err, 0, 0, {}}) == 1);
  CHECK(contains(err.str(), "could not be written"));
}

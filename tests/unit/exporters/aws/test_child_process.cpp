#include "exporters/aws/child_process.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

tl::expected<ChildResult, std::string> shell(const std::string& script,
                                             const ChildLimits& limits = {}) {
  return run_child({"/bin/sh", "-c", script}, limits);
}

}  // namespace

TEST_CASE("a command is split as a shell splits it, and nothing is expanded") {
  using Words = std::vector<std::string>;
  struct Case {
    std::string command;
    Words words;
  };
  const Case cases[] = {
      {"/bin/keys", {"/bin/keys"}},
      {"  a\tb  c ", {"a", "b", "c"}},
      {R"("/opt/my tools/keys" --user 'a b')", {"/opt/my tools/keys", "--user", "a b"}},
      {R"(a\ b c\"d)", {"a b", "c\"d"}},
      {R"("a\"b\\c\d")", {"a\"b\\c\\d"}},
      {R"('a\b"c')", {"a\\b\"c"}},
      {R"(a"b c"d'e f')", {"ab cde f"}},
      {R"(keys '' "")", {"keys", "", ""}},
      {"a; rm -rf $HOME `id` | b > c", {"a;", "rm", "-rf", "$HOME", "`id`", "|", "b", ">", "c"}}};
  for (const Case& each : cases) {
    INFO(each.command);
    const auto words = split_command(each.command);
    REQUIRE(words);
    CHECK(*words == each.words);
  }
  for (const std::string command : {"", "   ", "''", "a 'b", "a \"b", "a \"b\\", "a\\"}) {
    INFO(command);
    CHECK(!split_command(command));
  }
}

TEST_CASE("a program's output, standard error and exit code are given") {
  auto result = shell("echo out; echo err >&2; exit 3");
  REQUIRE(result);
  CHECK(result->output == "out\n");
  CHECK(result->errors == "err\n");
  CHECK(result->exit_code == 3);
  result = shell("kill -KILL $$");
  REQUIRE(result);
  CHECK(result->exit_code == 128 + SIGKILL);
  // More than a pipe holds.
  result = shell("head -c 200000 /dev/zero; head -c 200000 /dev/zero >&2");
  REQUIRE(result);
  CHECK(result->output.size() == 200000);
  CHECK(result->errors.size() == 4096);
}

TEST_CASE("a program gets no input, no other descriptors, and SIGPIPE as it should be") {
  const int open_here = ::open("/dev/null", O_RDONLY);  // without O_CLOEXEC
  REQUIRE(open_here > 2);
  auto* const before = ::signal(SIGPIPE, SIG_IGN);
  const auto result =
      shell("cat; [ -e /proc/$$/fd/" + std::to_string(open_here) +
            " ] && echo leaked; sh -c 'kill -PIPE $$; echo SIGPIPE is ignored'; true");
  ::signal(SIGPIPE, before);
  ::close(open_here);
  REQUIRE(result);
  CHECK(result->output == "");
}

TEST_CASE("a program that is not there, not executable, or has no right header is an error") {
  TemporaryDirectory home;
  for (const std::string& program :
       {home.path() + "/none", home.write("plain", "#!/bin/sh\n"), std::string("invlog-no-such")}) {
    const auto result = run_child({program}, {});
    INFO(program);
    REQUIRE(!result);
    CHECK(contains(result.error(), "cannot run " + program + ": "));
  }
}

TEST_CASE("a program that takes too long is killed with all it started") {
  TemporaryDirectory home;
  const std::string file = home.path() + "/pid";
  ChildLimits limits;
  limits.timeout = 200ms;
  const auto started = std::chrono::steady_clock::now();
  const auto result = shell("sleep 60 & echo $! > " + file + "; wait", limits);
  REQUIRE(!result);
  CHECK(contains(result.error(), "/bin/sh did not end within 200 ms"));
  CHECK(std::chrono::steady_clock::now() - started < 10s);
  std::ifstream pid_file(file);
  pid_t background = 0;
  REQUIRE(pid_file >> background);
  bool gone = false;
  for (int look = 0; look < 500 && !gone; ++look) {
    std::ifstream status("/proc/" + std::to_string(background) + "/stat");
    std::string number, name, state;
    gone = !(status >> number >> name >> state) || state == "Z";
    std::this_thread::sleep_for(10ms);
  }
  CHECK(gone);
}

TEST_CASE(
    "a program that ends while something it started keeps its output open is not waited for") {
  const auto started = std::chrono::steady_clock::now();
  const auto result = shell("sleep 60 & echo done");
  REQUIRE(result);
  CHECK(result->output == "done\n");
  CHECK(std::chrono::steady_clock::now() - started < 10s);
}

TEST_CASE("a program that closes its output and sleeps on meets the time limit, not a busy loop") {
  ChildLimits limits;
  limits.timeout = 200ms;
  const auto result = shell("exec >&- 2>&-; sleep 60", limits);
  REQUIRE(!result);
  CHECK(contains(result.error(), "did not end within"));
}

TEST_CASE("a program that writes without end is stopped by the limit on its output") {
  const auto result = shell("cat /dev/zero");
  REQUIRE(!result);
  CHECK(result.error() == "/bin/sh wrote more than 262144 bytes");
  ChildLimits limits;
  limits.timeout = 300ms;
  const auto errors = shell("cat /dev/zero >&2", limits);
  REQUIRE(!errors);
  CHECK(contains(errors.error(), "did not end within"));
}

TEST_CASE("a program is ended when invlog stops") {
  std::atomic<bool> cancelled{false};
  ChildLimits limits;
  limits.cancelled = &cancelled;
  std::thread stopper([&] { cancelled = true; });
  const auto result = shell("sleep 60", limits);
  stopper.join();
  REQUIRE(!result);
  CHECK(contains(result.error(), "invlog is stopping"));
}

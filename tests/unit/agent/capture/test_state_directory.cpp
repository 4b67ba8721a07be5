#include "agent/capture/state_directory.h"

#include <sys/stat.h>

#include <optional>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

namespace invlog::capture {
namespace {

std::string refusal(const std::string& path) {
  try {
    const StateDirectory directory(path);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("A state directory is made with its parents, for its owner alone") {
  const tests::TemporaryDirectory root;
  const std::string path = root.path() + "/var/lib/invlog";
  const StateDirectory directory(path);
  struct stat information {};
  REQUIRE(::stat(path.c_str(), &information) == 0);
  CHECK(S_ISDIR(information.st_mode));
  CHECK((information.st_mode & 0777) == 0700);
}

TEST_CASE("A state directory belongs to one agent at a time") {
  const tests::TemporaryDirectory root;
  std::optional<StateDirectory> first;
  first.emplace(root.path());
  const std::string text = refusal(root.path());
  CHECK(text.find("state_dir " + root.path()) == 0);
  CHECK(text.find("another agent is using it") != std::string::npos);
  CHECK(text.find('\n') == std::string::npos);
  first.reset();
  CHECK(refusal(root.path()).empty());
}

TEST_CASE("A state directory that cannot be is refused with its path and the cause") {
  const tests::TemporaryDirectory root;
  const std::string file = root.write("file", "x");
  CHECK(refusal(file + "/below").find("state_dir " + file + "/below: Not a directory") == 0);
  CHECK(refusal(file).find("state_dir " + file + ": Not a directory") == 0);
  const std::string lock = root.path() + "/agent.lock";
  REQUIRE(::mkdir(lock.c_str(), 0700) == 0);
  CHECK(refusal(root.path()) == "state_dir " + root.path() + ": " + lock + ": Is a directory");
}

}  // namespace invlog::capture

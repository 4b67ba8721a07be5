#include "agent/capture/socket_holder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/capture/loopback_pair.h"

namespace invlog::capture {
namespace {

// A /proc with one process of this user, which runs `program` and holds socket 4711.
struct Processes {
  explicit Processes(const std::string& program) {
    const std::string process = directory.path() + "/77";
    std::filesystem::create_directories(process + "/fd");
    std::filesystem::create_directories(directory.path() + "/self");
    std::filesystem::create_directories(directory.path() + "/net");
    std::filesystem::create_symlink("socket:[4711]", process + "/fd/5");
    std::filesystem::create_symlink("/dev/null", process + "/fd/0");
    std::filesystem::create_symlink(program, process + "/exe");
    std::filesystem::create_symlink("/usr/bin/own", directory.path() + "/self/exe");
  }
  const tests::TemporaryDirectory directory;
};

}  // namespace

TEST_CASE("Who holds a socket of this very process is an agent like it") {
  const LoopbackPair pair;
  struct stat about {};
  REQUIRE(::fstat(pair.client, &about) == 0);
  CHECK(holder_of_socket(static_cast<std::uint32_t>(about.st_ino)) == SocketHolder::agent);
  CHECK(holder_of_socket(4294967295U) == SocketHolder::unknown);
}

TEST_CASE("Another program that holds a socket is told from an agent of another version") {
  const Processes python("/usr/bin/python3.11");
  CHECK(holder_of_socket(4711, python.directory.path()) == SocketHolder::other_program);
  CHECK(holder_of_socket(471, python.directory.path()) == SocketHolder::unknown);
  const Processes agent("/opt/invlog-0.2 (deleted)");
  CHECK(holder_of_socket(4711, agent.directory.path()) == SocketHolder::agent);
  CHECK(holder_of_socket(4711, "/nonexistent") == SocketHolder::unknown);
}

}  // namespace invlog::capture

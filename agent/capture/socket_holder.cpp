#include "agent/capture/socket_holder.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <system_error>

namespace invlog::capture {
namespace {

namespace fs = std::filesystem;

bool is_process(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](unsigned char byte) { return std::isdigit(byte) != 0; });
}

bool is_own(const std::string& process) {
  struct stat about {};
  return ::stat(process.c_str(), &about) == 0 && about.st_uid == ::geteuid();
}

bool holds(const std::string& process, const std::string& socket) {
  std::error_code gone;
  for (fs::directory_iterator entry(process + "/fd", gone), end; !gone && entry != end;
       entry.increment(gone)) {
    std::error_code closed;
    if (fs::read_symlink(entry->path(), closed) == socket)
      return true;
  }
  return false;
}

// The same file as this program, or one of its name: another version of it.
bool is_agent(const std::string& process, const std::string& proc) {
  const std::string program = process + "/exe";
  struct stat it {
  }, own{};
  if (::stat(program.c_str(), &it) == 0 && ::stat((proc + "/self/exe").c_str(), &own) == 0 &&
      it.st_dev == own.st_dev && it.st_ino == own.st_ino) {
    return true;
  }
  std::error_code ended;
  return fs::read_symlink(program, ended).filename().string().starts_with("invlog");
}

}  // namespace

SocketHolder holder_of_socket(std::uint32_t socket, const std::string& proc) {
  const std::string target = "socket:[" + std::to_string(socket) + "]";
  SocketHolder found = SocketHolder::unknown;
  std::error_code gone;
  for (fs::directory_iterator entry(proc, gone), end; !gone && entry != end;
       entry.increment(gone)) {
    const std::string process = entry->path().string();
    if (!is_process(entry->path().filename().string()) || !is_own(process) ||
        !holds(process, target)) {
      continue;
    }
    if (is_agent(process, proc))
      return SocketHolder::agent;
    found = SocketHolder::other_program;
  }
  return found;
}

}  // namespace invlog::capture

#include "exporters/aws/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

namespace invlog::aws {
namespace {

using Clock = std::chrono::steady_clock;

// How long the end of the program, or a cancellation, may go unnoticed.
constexpr std::chrono::milliseconds kTick{20};

class Descriptor {
 public:
  Descriptor() = default;
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  void close() {
    if (value >= 0) {
      ::close(value);
    }
    value = -1;
  }
  int value = -1;
};

struct Pipe {
  Descriptor read, write;
  bool open() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      return false;
    }
    read.value = ends[0];
    write.value = ends[1];
    return ::fcntl(read.value, F_SETFL, O_NONBLOCK) == 0;
  }
};

struct SpawnActions {
  SpawnActions() { posix_spawn_file_actions_init(&value); }
  ~SpawnActions() { posix_spawn_file_actions_destroy(&value); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  posix_spawn_file_actions_t value{};
};

struct SpawnAttributes {
  SpawnAttributes() { posix_spawnattr_init(&value); }
  ~SpawnAttributes() { posix_spawnattr_destroy(&value); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  SpawnAttributes& operator=(const SpawnAttributes&) = delete;
  posix_spawnattr_t value{};
};

// 0, or the system's error.
int spawn(const std::vector<std::string>& arguments, int output, int errors, pid_t& child) {
  SpawnActions actions;
  posix_spawn_file_actions_addopen(&actions.value, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions.value, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions.value, errors, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&actions.value, STDERR_FILENO + 1);
  // What this process ignores or blocks is no business of the program's.
  SpawnAttributes attributes;
  sigset_t none, defaults;
  sigemptyset(&none);
  sigemptyset(&defaults);
  for (const int signal : {SIGPIPE, SIGTERM, SIGINT, SIGHUP, SIGCHLD}) {
    sigaddset(&defaults, signal);
  }
  posix_spawnattr_setsigmask(&attributes.value, &none);
  posix_spawnattr_setsigdefault(&attributes.value, &defaults);
  posix_spawnattr_setpgroup(&attributes.value, 0);
  posix_spawnattr_setflags(&attributes.value,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) {
    argv.push_back(const_cast<char*>(argument.c_str()));
  }
  argv.push_back(nullptr);
  return ::posix_spawnp(&child, argv[0], &actions.value, &attributes.value, argv.data(), environ);
}

// Reads what is there, though not for ever from a program that never pauses. False: nothing more
// will come.
bool drain(Descriptor& descriptor, std::string& into, std::size_t longest) {
  char buffer[4096];
  for (int reads = 0; descriptor.value >= 0 && reads < 256; ++reads) {
    const ssize_t size = ::read(descriptor.value, buffer, sizeof buffer);
    if (size > 0) {
      const std::size_t room = longest - std::min(longest, into.size());
      into.append(buffer, std::min(room, static_cast<std::size_t>(size)));
    } else if (size < 0 && errno == EAGAIN) {
      return true;
    } else if (size == 0 || errno != EINTR) {
      descriptor.close();
    }
  }
  return descriptor.value >= 0;
}

// The child and everything it started in its group; gone when this is.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  ~Child() {
    // The child is still to be waited for, so that its number can be no other group's.
    ::kill(-id_, SIGKILL);
    while (::waitpid(id_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::optional<int> exit_code() const {
    siginfo_t status{};
    if (::waitid(P_PID, static_cast<id_t>(id_), &status, WEXITED | WNOHANG | WNOWAIT) != 0) {
      return errno == EINTR ? std::nullopt : std::optional(kUnknown);
    }
    if (status.si_pid == 0) {
      return std::nullopt;
    }
    return status.si_code == CLD_EXITED ? status.si_status : 128 + status.si_status;
  }

 private:
  static constexpr int kUnknown = 127;  // somebody else waited for it
  const pid_t id_;
};

void wait_for_output(const Descriptor& output, const Descriptor& errors,
                     std::chrono::milliseconds longest) {
  pollfd polled[2] = {{output.value, POLLIN, 0}, {errors.value, POLLIN, 0}};
  ::poll(polled, 2, static_cast<int>(std::max<std::int64_t>(longest.count(), 0)));
}

}  // namespace

tl::expected<std::vector<std::string>, std::string> split_command(std::string_view command) {
  std::vector<std::string> words;
  bool in_word = false;
  char quote = 0;
  for (std::size_t at = 0; at < command.size(); ++at) {
    const char byte = command[at];
    const bool white = byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
    if (quote == 0 && white) {
      in_word = false;
      continue;
    }
    if (!in_word) {
      words.emplace_back();
      in_word = true;
    }
    if (byte == quote) {
      quote = 0;
    } else if (quote == 0 && (byte == '\'' || byte == '"')) {
      quote = byte;
    } else if (byte == '\\' && quote != '\'') {
      if (at + 1 == command.size()) {
        return tl::unexpected<std::string>("the command ends in a backslash");
      }
      const char next = command[at + 1];
      if (quote == 0 || next == '"' || next == '\\') {
        ++at;
      }
      words.back() += quote == 0 || next == '"' || next == '\\' ? next : byte;
    } else {
      words.back() += byte;
    }
  }
  if (quote != 0) {
    return tl::unexpected<std::string>("the command has a quote that is not closed");
  }
  if (words.empty() || words[0].empty()) {
    return tl::unexpected<std::string>("the command is empty");
  }
  return words;
}

tl::expected<ChildResult, std::string> run_child(const std::vector<std::string>& arguments,
                                                 const ChildLimits& limits) {
  const std::string& program = arguments.at(0);
  Pipe output, errors;
  if (!output.open() || !errors.open()) {
    return tl::unexpected("cannot run " + program + ": " + std::strerror(errno));
  }
  pid_t id = 0;
  if (const int code = spawn(arguments, output.write.value, errors.write.value, id); code != 0) {
    return tl::unexpected("cannot run " + program + ": " + std::strerror(code));
  }
  const Child child(id);
  output.write.close();
  errors.write.close();

  const Clock::time_point deadline = Clock::now() + limits.timeout;
  ChildResult result;
  while (true) {
    // Before reading: what an ended program wrote is in the pipes.
    const std::optional<int> exit_code = child.exit_code();
    const bool output_open = drain(output.read, result.output, limits.output_bytes + 1);
    drain(errors.read, result.errors, limits.error_bytes);
    if (result.output.size() > limits.output_bytes) {
      return tl::unexpected(program + " wrote more than " + std::to_string(limits.output_bytes) +
                            " bytes");
    }
    if (exit_code) {
      result.exit_code = *exit_code;
      return result;
    }
    if (limits.cancelled != nullptr && *limits.cancelled) {
      return tl::unexpected(program + " was ended: invlog is stopping");
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) {
      return tl::unexpected(program + " did not end within " +
                            std::to_string(limits.timeout.count()) + " ms, and was killed");
    }
    // A program that has closed its output is near its end.
    wait_for_output(output.read, errors.read,
                    std::min(left, output_open ? kTick : std::chrono::milliseconds(2)));
  }
}

}  // namespace invlog::aws

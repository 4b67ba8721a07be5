#include "agent/cli/program_commands.h"

#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

#include "agent/cli/display_text.h"
#include "agent/cli/program_profile.h"
#include "agent/cli/proxy_environment.h"
#include "agent/cli/store_access.h"

namespace invlog::cli {
namespace {

constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;
constexpr int kConnectPatienceMs = 1000;
constexpr std::chrono::milliseconds kLookAgain{100};

// A Region in the environment would overrule the profile's, for other services too.
ProgramVariables variables_for(const FoundAgent& agent, bool openai, const ProgramProfile& profile,
                               const aws::Environment& environment) {
  return program_variables({agent.endpoint, profile.says_region ? "" : agent.region, openai,
                            agent.proxy, profile.ignores_endpoints},
                           environment);
}

void warn_of_environment(const FoundAgent& agent, const ProgramProfile& profile,
                         const aws::Environment& environment, std::ostream& err) {
  if (agent.proxy) {
    for (const std::string& problem :
         proxy_environment_problems(*agent.proxy, environment, profile.endpoint))
      err << "invlog: " << problem << '\n';
    return;
  }
  if (const std::string problem = environment_problem(environment); !problem.empty())
    err << "invlog: " << problem << '\n';
}

bool wait_for_agent(const AgentEndpoint& endpoint, std::chrono::milliseconds patience,
                    const ProgramStarter& starter) {
  const auto began = starter.now();
  while (!starter.answers(endpoint)) {
    if (std::chrono::floor<std::chrono::milliseconds>(starter.now() - began) >= patience)
      return false;
    starter.sleep(kLookAgain);
  }
  return true;
}

// Whether the program may start.
bool look_for_agent(const ExecOptions& options, const FoundAgent& agent,
                    const ProgramStarter& starter, std::ostream& err) {
  const AgentEndpoint& endpoint = agent.endpoint;
  const std::string nobody = "invlog: nobody listens on " + endpoint.address();
  if (options.wait) {
    if (wait_for_agent(endpoint, *options.wait, starter))
      return true;
    err << nobody << " after " << options.wait->count() / 1000.0
        << " s: " << printable(options.program.front()) << " was not started\n";
    return false;
  }
  if (!starter.answers(endpoint)) {
    err << nobody
        << (agent.proxy ? ": is the agent running, and was it restarted after `invlog ca init`?"
                        : ": is the agent running?")
        << " The program's Bedrock calls will fail until it is\n";
  }
  return true;
}

bool connects(const addrinfo& address) {
  const int descriptor = ::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0)
    return false;
  int failure = ::connect(descriptor, address.ai_addr, address.ai_addrlen) == 0 ? 0 : errno;
  pollfd waited{descriptor, POLLOUT, 0};
  if (failure == EINPROGRESS && ::poll(&waited, 1, kConnectPatienceMs) == 1) {
    socklen_t size = sizeof failure;
    ::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &failure, &size);
  }
  ::close(descriptor);
  return failure == 0;
}

bool somebody_listens(const AgentEndpoint& endpoint) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found) !=
      0)
    return false;
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  return connects(*found);
}

int become(const std::vector<std::string>& program, const ProgramVariables& variables,
           bool ignore_sigpipe) {
  for (const auto& [name, value, unset] : variables) {
    if ((unset ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1)) != 0)
      return errno;
  }
  std::vector<char*> arguments;
  for (const std::string& argument : program) {
    arguments.push_back(const_cast<char*>(argument.c_str()));
  }
  arguments.push_back(nullptr);
  if (ignore_sigpipe)
    ::signal(SIGPIPE, SIG_IGN);
  ::execvp(arguments.front(), arguments.data());
  const int cause = errno;
  ::signal(SIGPIPE, SIG_DFL);
  return cause;
}

}  // namespace

int run_env(const EnvOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto agent = find_agent(options.search, err, exit_code);
  if (!agent)
    return exit_code;
  const ProgramProfile profile = program_profile(options.search.environment);
  warn_of_environment(*agent, profile, options.search.environment, err);
  out << variables_text(variables_for(*agent, options.openai, profile, options.search.environment),
                        options.format);
  return kSuccess;
}

ProgramStarter this_process(bool ignore_sigpipe) {
  return {
      somebody_listens, [] { return std::chrono::steady_clock::now(); },
      [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); },
      [ignore_sigpipe](const std::vector<std::string>& program, const ProgramVariables& variables) {
        return become(program, variables, ignore_sigpipe);
      }};
}

int run_exec(const ExecOptions& options, const ProgramStarter& starter, std::ostream& err) {
  int exit_code = kSuccess;
  const auto agent = find_agent(options.search, err, exit_code);
  if (!agent)
    return exit_code;
  const ProgramProfile profile = program_profile(options.search.environment);
  warn_of_environment(*agent, profile, options.search.environment, err);
  if (!look_for_agent(options, *agent, starter, err))
    return kFailure;
  err.flush();
  const int cause = starter.become(
      options.program, variables_for(*agent, options.openai, profile, options.search.environment));
  const std::string name = printable(options.program.front());
  if (cause == ENOENT) {
    err << "invlog: " << name
        << (name.find('/') == std::string::npos
                ? ": no such program in the directories of PATH\n"
                : ": no such program, or its interpreter is missing\n");
    return kNotFound;
  }
  err << "invlog: " << name << " cannot be executed: " << std::strerror(cause) << '\n';
  return kNotExecutable;
}

}  // namespace invlog::cli

// Which of the agent's own user's programs holds a socket: another agent, by whose proxy mode
// anybody calls, or a program that calls for itself.
//
// Looks through /proc (man proc_pid_fd(5)), which takes some milliseconds where that user runs a
// hundred processes; those of other users, or of other PID namespaces (another container), it does
// not see. Thread: any. Errors: none; what cannot be told is `unknown`.
#pragma once

#include <cstdint>
#include <string>

namespace invlog::capture {

enum class SocketHolder { unknown, agent, other_program };

// `socket`: its inode, as sock_diag names it; `proc`: where the process file system is.
SocketHolder holder_of_socket(std::uint32_t socket, const std::string& proc = "/proc");

}  // namespace invlog::capture

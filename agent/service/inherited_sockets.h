// Listening sockets that systemd opened for the agent and keeps open over its restarts (socket
// activation, sd_listen_fds(3)): what connects while no agent runs waits in the kernel instead of
// being refused.
//
// Each has a name, the socket unit's FileDescriptorName=: "capture" is for applications, "proxy"
// for those that use the agent as a proxy. A unit that gives no name passes its own
// ("invlog.socket"), and other programs that do the same pass "unknown" or nothing: that is
// "capture", too.
//
// Thread: any, one at a time. Ownership: sockets that nobody takes are closed here. Errors:
// from_environment() throws std::runtime_error if systemd passed what cannot be.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace invlog::service {

inline constexpr std::string_view kCaptureSockets = "capture";
inline constexpr std::string_view kProxySockets = "proxy";

class InheritedSockets {
 public:
  // Of this process, by $LISTEN_PID, $LISTEN_FDS and $LISTEN_FDNAMES, which are unset, so that no
  // child takes them for its own. Empty if there are none.
  static InheritedSockets from_environment();

  InheritedSockets() = default;
  // Owns the descriptors; each with its name.
  explicit InheritedSockets(std::vector<std::pair<std::string, int>> sockets)
      : sockets_(std::move(sockets)) {}
  ~InheritedSockets();
  InheritedSockets(InheritedSockets&& other) noexcept
      : sockets_(std::exchange(other.sockets_, {})) {}
  InheritedSockets& operator=(InheritedSockets&&) = delete;
  InheritedSockets(const InheritedSockets&) = delete;

  // The descriptors of this name, which are the caller's from now on; in the order in which the
  // unit has them.
  std::vector<int> take(std::string_view name);
  // The names of what nobody has taken: to be told of, since it is a mistake in a unit.
  std::vector<std::string> left() const;

 private:
  std::vector<std::pair<std::string, int>> sockets_;
};

}  // namespace invlog::service

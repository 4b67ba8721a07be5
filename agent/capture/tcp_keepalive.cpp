#include "agent/capture/tcp_keepalive.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

namespace invlog::capture {
namespace {

void set_option(int descriptor, int level, int option, int value) {
  ::setsockopt(descriptor, level, option, &value, sizeof value);
}

void probe(int descriptor, int idle_seconds, int interval_seconds, int count) {
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, idle_seconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, interval_seconds);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, count);
}

}  // namespace

void probe_for_call(int descriptor) {
  // With TCP_USER_TIMEOUT the kernel counts no probes: it ends a silent connection at the first one
  // that is due after that time. 60 s of silence before the first would have a single lost probe
  // end a call.
  probe(descriptor, 15, 5, 3);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 30'000);
}

void probe_for_tunnel(int descriptor) {
  probe(descriptor, 60, 15, 4);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 0);
}

}  // namespace invlog::capture

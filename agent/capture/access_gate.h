// Who may call: the agent lends its credentials to its callers. Asked of each call before its body
// is read.
//
// With allow_users or allow_groups, only users that the kernel names and that are in one of the
// lists, by a Unix socket's peer credentials or by the owner of a loopback socket; whoever cannot
// be told is refused, and so is one whose groups the system does not tell in time. On TCP, nobody
// whom a browser sends (browser_guard.h). A refused call is answered 403 as AWS does it, counted,
// and told of in the log and by events of the kind `call-refused` (refusal_log.h).
//
// Thread: the I/O thread. Ownership: what the constructor is given must outlive it. Errors: none.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "agent/capture/browser_guard.h"
#include "agent/capture/caller_groups.h"
#include "agent/capture/caller_names.h"
#include "agent/capture/exchange.h"
#include "agent/capture/go_betweens.h"
#include "agent/capture/recorder.h"
#include "agent/capture/refusal_log.h"
#include "agent/capture/statistics.h"
#include "agent/config/access_config.h"

namespace invlog::capture {

class AccessGate {
 public:
  AccessGate(config::AccessConfig access, std::string upstream_host, CallerGroups& groups,
             CallerNames& names, GoBetweens& go_betweens, Recorder& recorder,
             Statistics& statistics);

  // False: the call was refused and answered.
  Task<bool> admit(Exchange& exchange);
  // The same of a connection that nothing can be answered to; it is counted and told of.
  Task<bool> admits(CallerLookup& caller);

  // Once a tick, and at the end: tells of calls that were refused since.
  void tick(std::chrono::steady_clock::time_point now) { refusals_.tick(now); }
  void flush() { refusals_.flush(); }

 private:
  struct Refusal {
    const char* why;
    std::string message;
    std::string caller;  // the name, or the number; "" unknown
  };
  enum class Listed { yes, no, not_told };
  // `left` is set when the client is found to have left: nobody waits for it any more.
  Task<std::optional<Refusal>> judge(Exchange& exchange, Event& left);
  Task<std::optional<Refusal>> judge_caller(const bedrock::Caller& caller, const Peer& peer,
                                            Event& left);
  Task<Listed> find_listed(const Peer& peer, std::uint32_t uid, Event& left);
  Task<std::string> name_of(const bedrock::Caller& caller, Event& left);
  void note(const Refusal& refusal);
  Task<void> refuse(Exchange& exchange, Refusal refusal);

  config::AccessConfig access_;
  BrowserGuard browsers_;
  CallerGroups& groups_;
  CallerNames& names_;
  GoBetweens& go_betweens_;
  Statistics& statistics_;
  RefusalLog refusals_;
};

}  // namespace invlog::capture

#include "agent/capture/access_gate.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/bedrock/user_names.h"

namespace invlog::capture {
namespace {

template <class Values>
bool any_in(const Values& values, const std::vector<std::uint32_t>& allowed) {
  return std::any_of(values.begin(), values.end(), [&](std::uint32_t value) {
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
  });
}

std::string caller_name(const bedrock::Caller& caller) {
  return caller.uid ? bedrock::user_name(*caller.uid) : "";
}

}  // namespace

AccessGate::AccessGate(config::AccessConfig access, std::string upstream_host, CallerGroups& groups,
                       Recorder& recorder, Statistics& statistics)
    : access_(std::move(access)),
      browsers_(access_.hosts, std::move(upstream_host)),
      groups_(groups),
      statistics_(statistics),
      refusals_([&recorder](const RefusedCalls& refused) {
        spdlog::warn(
            "refused {} {} of {}: {}", refused.calls, refused.calls == 1 ? "call" : "calls",
            refused.subject.empty() ? "an unknown caller" : refused.subject, refused.message);
        recorder.note_event("call-refused", refusal_event(refused));
      }) {}

Task<bool> AccessGate::admit(Exchange& exchange) {
  std::optional<Refusal> refusal = co_await judge(exchange);
  if (!refusal)
    co_return true;
  co_await refuse(exchange, std::move(*refusal));
  co_return false;
}

Task<bool> AccessGate::admits(CallerLookup& caller) {
  if (!access_.names_callers())
    co_return true;
  const auto refusal = co_await judge_caller(caller.caller(), caller.peer());
  if (refusal)
    note(*refusal, caller.caller());
  co_return !refusal;
}

Task<std::optional<AccessGate::Refusal>> AccessGate::judge(Exchange& exchange) {
  if (access_.names_callers()) {
    if (auto refusal = co_await judge_caller(exchange.caller(), exchange.peer()))
      co_return refusal;
  }
  // What is passed on as it is lends nobody the agent's credentials.
  if (exchange.interception() != nullptr || exchange.request().method == "CONNECT")
    co_return std::nullopt;
  // No browser reaches a Unix socket, and clients send any Host there.
  if (exchange.peer().transport == Peer::Transport::unix_socket)
    co_return std::nullopt;
  std::string problem = browsers_.problem(exchange.request());
  if (problem.empty())
    co_return std::nullopt;
  co_return Refusal{"browser", std::move(problem)};
}

Task<std::optional<AccessGate::Refusal>> AccessGate::judge_caller(const bedrock::Caller& caller,
                                                                  const Peer& peer) {
  const std::optional<std::uint32_t> uid = caller.uid;
  if (!uid) {
    co_return Refusal{"unknown-caller",
                      "invlog: who calls cannot be told (another host, or a connection that is "
                      "closed already), and only users in the agent's allow_users and "
                      "allow_groups may call"};
  }
  if (co_await is_listed(peer, *uid))
    co_return std::nullopt;
  co_return Refusal{"caller", "invlog: the user " + bedrock::user_name(*uid) +
                                  " may not call: neither allow_users nor allow_groups in the "
                                  "agent's configuration names this user or one of its groups"};
}

Task<bool> AccessGate::is_listed(const Peer& peer, std::uint32_t uid) {
  if (any_in(std::array{uid}, access_.user_ids))
    co_return true;
  if (access_.group_ids.empty())
    co_return false;
  if (peer.transport == Peer::Transport::unix_socket)
    co_return any_in(peer.groups, access_.group_ids);
  const auto groups = co_await groups_.of(uid);
  co_return any_in(*groups, access_.group_ids);
}

void AccessGate::note(const Refusal& refusal, const bedrock::Caller& caller) {
  ++statistics_.calls;
  ++statistics_.denied;
  ++statistics_.access_denied;
  statistics_.changed = true;
  refusals_.note(refusal.why, caller_name(caller), refusal.message,
                 std::chrono::steady_clock::now());
}

Task<void> AccessGate::refuse(Exchange& exchange, Refusal refusal) {
  note(refusal, exchange.caller());
  exchange.leave_body();
  const LocalResponse answer = aws_error(403, "AccessDeniedException", refusal.message);
  co_await give_response(exchange, answer.head, answer.body);
}

}  // namespace invlog::capture

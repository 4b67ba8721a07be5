#include "agent/capture/access_gate.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <utility>

namespace invlog::capture {
namespace {

template <class Values>
bool any_in(const Values& values, const std::vector<std::uint32_t>& allowed) {
  return std::any_of(values.begin(), values.end(), [&](std::uint32_t value) {
    return std::find(allowed.begin(), allowed.end(), value) != allowed.end();
  });
}

}  // namespace

AccessGate::AccessGate(config::AccessConfig access, std::string upstream_host, CallerGroups& groups,
                       CallerNames& names, GoBetweens& go_betweens, Recorder& recorder,
                       Statistics& statistics)
    : access_(std::move(access)),
      browsers_(access_.hosts, std::move(upstream_host)),
      groups_(groups),
      names_(names),
      go_betweens_(go_betweens),
      statistics_(statistics),
      refusals_([&recorder](const RefusedCalls& refused) {
        spdlog::warn(
            "refused {} {} of {}: {}", refused.calls, refused.calls == 1 ? "call" : "calls",
            refused.subject.empty() ? "an unknown caller" : refused.subject, refused.message);
        recorder.note_event("call-refused", refusal_event(refused));
      }) {}

Task<bool> AccessGate::admit(Exchange& exchange) {
  Event left;
  exchange.when_client_gone([&left] { left.set(); });
  std::optional<Refusal> refusal = co_await judge(exchange, left);
  exchange.when_client_gone({});
  if (!refusal)
    co_return true;
  co_await refuse(exchange, std::move(*refusal));
  co_return false;
}

Task<bool> AccessGate::admits(CallerLookup& caller) {
  if (!access_.names_callers())
    co_return true;
  Event left;
  const auto refusal = co_await judge_caller(caller.caller(), caller.peer(), left);
  if (refusal)
    note(*refusal);
  co_return !refusal;
}

Task<std::optional<AccessGate::Refusal>> AccessGate::judge(Exchange& exchange, Event& left) {
  if (access_.names_callers()) {
    if (auto refusal = co_await judge_caller(exchange.caller(), exchange.peer(), left))
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
  std::string name = co_await name_of(exchange.caller(), left);
  co_return Refusal{"browser", std::move(problem), std::move(name)};
}

Task<std::optional<AccessGate::Refusal>> AccessGate::judge_caller(const bedrock::Caller& caller,
                                                                  const Peer& peer, Event& left) {
  const std::optional<std::uint32_t> uid = caller.uid;
  if (!uid) {
    co_return Refusal{"unknown-caller",
                      "invlog: who calls cannot be told (another host, or a connection that is "
                      "closed already), and only users in the agent's allow_users and "
                      "allow_groups may call",
                      ""};
  }
  if (go_betweens_.include(caller, peer)) {
    co_return Refusal{"unknown-caller",
                      "invlog: for whom this program calls cannot be told: on TCP it runs as the "
                      "agent's own user, and is an agent itself or in another container; only "
                      "users in the agent's allow_users and allow_groups may call, this one by "
                      "the agent's Unix socket",
                      ""};
  }
  const Listed listed = co_await find_listed(peer, *uid, left);
  if (listed == Listed::yes)
    co_return std::nullopt;
  std::string name = co_await name_of(caller, left);
  std::string message =
      "invlog: the user " + name + " may not call: " +
      (listed == Listed::no
           ? "neither allow_users nor allow_groups in the agent's configuration names this user or "
             "one of its groups"
           : "allow_users in the agent's configuration does not name this user, and the look-up of "
             "its groups took too long");
  co_return Refusal{"caller", std::move(message), std::move(name)};
}

Task<AccessGate::Listed> AccessGate::find_listed(const Peer& peer, std::uint32_t uid, Event& left) {
  if (any_in(std::array{uid}, access_.user_ids))
    co_return Listed::yes;
  if (access_.group_ids.empty())
    co_return Listed::no;
  if (peer.transport == Peer::Transport::unix_socket)
    co_return any_in(peer.groups, access_.group_ids) ? Listed::yes : Listed::no;
  names_.ask(uid);  // at the same time: a refusal says it
  const auto groups = co_await groups_.of(uid, left);
  if (!groups)
    co_return Listed::not_told;
  co_return any_in(*groups, access_.group_ids) ? Listed::yes : Listed::no;
}

Task<std::string> AccessGate::name_of(const bedrock::Caller& caller, Event& left) {
  if (!caller.uid)
    co_return "";
  const std::optional<std::string> name = co_await names_.of(*caller.uid, left);
  co_return name.value_or(std::to_string(*caller.uid));
}

void AccessGate::note(const Refusal& refusal) {
  ++statistics_.calls;
  ++statistics_.denied;
  ++statistics_.access_denied;
  refusals_.note(refusal.why, refusal.caller, refusal.message, std::chrono::steady_clock::now());
}

Task<void> AccessGate::refuse(Exchange& exchange, Refusal refusal) {
  note(refusal);
  exchange.leave_body();
  const LocalResponse answer = aws_error(403, "AccessDeniedException", refusal.message);
  co_await give_response(exchange, answer.head, answer.body);
}

}  // namespace invlog::capture

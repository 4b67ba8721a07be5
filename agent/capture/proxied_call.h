// One call through the agent, from the request's head to its record: written once, over Exchange,
// for both protocol versions.
//
// Order: read the request; wait for room in the queue (or refuse); judge it by policy; put it on
// record if durability is strict; sign; forward; pass the response on piece by piece as it arrives,
// copying it aside up to a bound; hand the record over. After the first byte went upstream nothing
// is tried again, except on a kept connection that the server closed before it took the request, or
// on which it says that it did not take it (HTTP/2): that is replaced once.
//
// Thread: the I/O thread. Ownership: everything in CallServices must outlive the call. Errors: each
// way a call can end is an outcome of its record; nothing is thrown for what client, upstream or
// store do.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/bedrock/invocation.h"
#include "agent/bedrock/operation.h"
#include "agent/capture/body_decoder.h"
#include "agent/capture/call_judge.h"
#include "agent/capture/call_log.h"
#include "agent/capture/caller_names.h"
#include "agent/capture/credential_cache.h"
#include "agent/capture/exchange.h"
#include "agent/capture/go_betweens.h"
#include "agent/capture/memory_budget.h"
#include "agent/capture/rare_warning.h"
#include "agent/capture/recorder.h"
#include "agent/capture/request_signer.h"
#include "agent/capture/statistics.h"
#include "agent/capture/upstream_exchange.h"
#include "agent/capture/upstream_pool.h"
#include "agent/capture/watchdog.h"

namespace invlog::capture {

struct CallLimits {
  std::uint64_t max_request_bytes = 32ull << 20;
  std::uint64_t max_recorded_response_bytes = 32ull << 20;
  std::chrono::milliseconds connect_timeout{5000};
  std::chrono::milliseconds idle_timeout{300000};
};

// Whose one of the agent's own keys is, as STS said; "" until then.
struct SigningIdentity {
  std::string access_key_id;
  std::string arn;
};

struct CallServices {
  CallLimits limits;
  std::string identity_arn;  // as configured, "" unknown
  // Stands in the records of calls that were signed with that key, where nothing is configured.
  SigningIdentity signing_identity;
  std::function<std::chrono::system_clock::time_point()> wall_clock;
  UpstreamPool& pool;
  RequestSigner& signer;
  CredentialCache& credentials;
  Recorder& recorder;
  MemoryBudget& budget;         // of request bodies
  MemoryBudget& small_budget;   // of those up to BodyRoom::kSmall
  MemoryBudget& copies_budget;  // of the copies of responses
  Watchdog& watchdog;
  Statistics& statistics;
  CallJudge& judge;
  BodyDecoder& decoder;
  CallerNames& names;
  GoBetweens& go_betweens;
  // The agent ends what is under way: whoever seems to close, it was the agent.
  bool cutting = false;
  CallLog log{};
  RareWarning cut_for_memory{}, wrong_clock{};
  // With the access key id of a call, where that is not signing_identity's; may be empty.
  std::function<void(const std::string& access_key_id)> signed_with_unknown_key{};
};

class ProxiedCall {
 public:
  ProxiedCall(Exchange& exchange, CallServices& services);
  ~ProxiedCall();
  Task<void> run();

 private:
  using Steady = std::chrono::steady_clock;

  class GrowingBody;
  bool intercepted() const { return exchange_.interception() != nullptr; }
  Task<bool> prepare();  // false: the call has ended
  Task<BodyRead> read_body();
  Task<bool> check_kind();       // false: it was refused
  Task<bool> check_both_ways();  // the same
  bool is_bidirectional() const;
  // Whom the policy asks for, and nobody can tell any more.
  bool left_without_name() const;
  // The policy asks who calls, and this caller stands for somebody whom nobody can tell.
  bool is_unnamed() const;
  // Whose name the policy asks for, or the record.
  std::optional<std::uint32_t> user_to_name() const;
  // In the record; and what the policy is to be told, "" nothing.
  Task<std::string> name_caller();
  Task<bool> judge();
  Task<bool> authorize();
  // In the record, as far as that is known by now.
  void name_signer();
  Task<std::string> send();  // upstream, up to the response's head; "" or the problem
  Task<std::string> attempt(bool may_reuse);
  Task<std::string> connect(bool may_reuse);
  std::unique_ptr<UpstreamExchange> make_client();
  Task<void> send_request(error_code& failure);
  std::chrono::milliseconds early_answer_pause() const;
  // Whether the upstream has answered a request that it does not read on.
  void look_for_early_answer();
  // Of a request that is answered while it is sent.
  Task<void> begin_both_ways(error_code& failure);
  Task<void> send_pieces();
  Task<void> end_both_ways();
  void tee_request(std::string_view bytes);
  // As much as fits; `announced` bytes are still to come.
  void keep(bedrock::CapturedBody& body, std::string_view bytes, std::uint64_t announced,
            std::uint64_t limit);
  Task<void> pass_response();
  // Whether it may have in it what the agent signed the request with.
  bool may_repeat_request() const;
  // Of the response: what is here, or all of it where that is to be looked at first.
  Task<UpstreamExchange::Piece> first_piece();
  // At held_, with which the upstream refused what the agent signed; `whole`: that is all of the
  // response.
  void look_at_refusal(bool whole);
  void note_wrong_clock(std::string_view body);
  Task<void> end_response(std::string_view last, bool started);
  Task<void> refuse(int status, std::string_view type, std::string message,
                    bedrock::Outcome outcome);
  Task<void> answer_upstream_problem(const std::string& problem);
  void tee(std::string_view bytes);
  void note_request();
  bedrock::Outcome interruption() const;
  void finish(bedrock::Outcome outcome, std::string error);
  // The response did not reach the client.
  void finish_undelivered();
  void close_books(bedrock::Outcome outcome, std::string error);
  void give_back_memory();
  void give_back_connection();
  std::int64_t elapsed_us() const;

  Exchange& exchange_;
  CallServices& services_;
  UpstreamPool& pool_;
  const std::shared_ptr<const residency::Policy> policy_;  // as it was when the call began
  Steady::time_point began_ = Steady::now();
  bedrock::Invocation invocation_;
  std::optional<bedrock::Target> target_;
  Recorder::IntentId intent_ = 0;
  std::string signed_with_;  // the agent's access key id, "" not by the agent
  std::string upstream_head_;
  std::string chunked_body_;  // the request's, if it goes on in chunks
  std::shared_ptr<UpstreamConnection> connection_;
  std::unique_ptr<UpstreamExchange> client_;
  ResponseHead response_;
  std::string held_;  // of its body, while that is looked at
  Watchdog::Deadline deadline_;
  Watchdog::Deadline early_answer_;
  std::optional<std::uint64_t> acknowledged_;       // by the upstream, when that last looked
  std::optional<MemoryBudget::Arriving> arriving_;  // while the request's body is
  std::uint64_t budget_taken_ = 0;
  std::uint64_t small_taken_ = 0;
  std::uint64_t copies_taken_ = 0;
  bool client_gone_ = false;
  bool timed_out_ = false;
  bool connecting_ = false;
  bool forwarded_ = false;       // a byte of it may have gone to the service
  bool sending_ = false;         // the request, in one piece after the other
  bool answered_early_ = false;  // the rest of it is not sent
  bool finished_ = false;
  bool cut_slow_ = false;  // its body was, for others that waited for memory
  bool both_ways_ = false;
  bool sending_pieces_ = false;
  Event pieces_sent_;
};

}  // namespace invlog::capture

#include "agent/capture/proxied_call.h"

#include <algorithm>

#include "agent/capture/client_signature.h"
#include "agent/capture/interception.h"
#include "agent/capture/passed_request.h"

namespace invlog::capture {
namespace {

// So much of a body is kept even where the others fill the memory for bodies.
constexpr std::uint64_t kAlwaysKept = 1 << 20;
// A length that was only announced costs no more memory than this.
constexpr std::uint64_t kReservedAtMost = 128 * 1024;
constexpr const char* kNoCredentials =
    "invlog: no AWS credentials to sign this call with, and the request carries no bearer key. "
    "Give the agent "
    "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile (AWS_PROFILE), or set "
    "AWS_BEARER_TOKEN_BEDROCK for "
    "the application";

// What came by HTTP/1.1 can only go on unchanged by HTTP/1.1.
UpstreamPool& pool_for(Exchange& exchange, CallServices& services) {
  Interception* interception = exchange.interception();
  if (interception == nullptr)
    return services.pool;
  return exchange.takes_raw() ? interception->http1 : interception->http2;
}

}  // namespace

ProxiedCall::ProxiedCall(Exchange& exchange, CallServices& services)
    : exchange_(exchange),
      services_(services),
      pool_(pool_for(exchange, services)),
      policy_(services.judge.policy()),
      deadline_(services.watchdog,
                [this] {
                  timed_out_ = true;
                  if (connection_)
                    connection_->cancel();
                }),
      early_answer_(services.watchdog, [this] { look_for_early_answer(); }) {
  ++services_.statistics.in_flight;
}

ProxiedCall::~ProxiedCall() {
  --services_.statistics.in_flight;
  give_back_memory();
}

void ProxiedCall::give_back_memory() {
  services_.budget.give_back(std::exchange(budget_taken_, 0));
  services_.small_budget.give_back(std::exchange(small_taken_, 0));
  services_.copies_budget.give_back(std::exchange(copies_taken_, 0));
}

std::int64_t ProxiedCall::elapsed_us() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(Steady::now() - began_).count();
}

void ProxiedCall::note_request() {
  const RequestHead& request = exchange_.request();
  invocation_.started_at_us = std::chrono::duration_cast<std::chrono::microseconds>(
                                  services_.wall_clock().time_since_epoch())
                                  .count();
  invocation_.method = request.method;
  invocation_.target = request.target;
  for (const auto& header : request.headers) {
    if (bedrock::kept_request_header(header.first))
      invocation_.request_headers.push_back(header);
  }
  if (intercepted()) {
    // Whose key it is, only AWS knows.
    ClientSignature signature = client_signature(request);
    invocation_.intercepted = true;
    invocation_.access_key_id = std::move(signature.access_key_id);
    invocation_.signed_at = std::move(signature.signed_at);
  } else if (!has_bearer_key(request)) {  // nor whose bearer key
    invocation_.identity_arn = services_.identity_arn;
  }
  if (!is_unnamed())
    invocation_.caller = exchange_.caller();
}

Task<void> ProxiedCall::run() {
  invocation_.privacy = services_.recorder.privacy();
  ++services_.statistics.calls;
  target_ = bedrock::parse_target(exchange_.request().method, exchange_.request().target);
  if (target_)
    note_request();
  if (const auto uid = user_to_name())
    services_.names.ask(*uid);
  exchange_.when_client_gone([this] {
    client_gone_ = true;
    if (arriving_)
      arriving_->stop_waiting();
    if (connection_)
      connection_->cancel();
  });
  if (co_await prepare() && co_await judge() && co_await check_both_ways() &&
      co_await authorize()) {
    services_.statistics.passed_through += target_ ? 0 : 1;
    const std::string problem = co_await send();
    if (problem.empty()) {
      co_await pass_response();
    } else {
      co_await answer_upstream_problem(problem);
    }
  }
  co_await end_both_ways();
  exchange_.when_client_gone({});
}

// Takes from the budgets as a body grows: as much as there is of it while it is small, so that a
// small call stands behind no large one; then twice of it at a time, so that it waits seldom.
class ProxiedCall::GrowingBody : public BodyRoom {
 public:
  explicit GrowingBody(ProxiedCall& call) : call_(call) {
    const std::uint64_t limit = call.services_.limits.max_request_bytes;
    most_ = std::min(call.exchange_.request().content_length.value_or(limit), limit);
  }
  bool grow_at_once(std::size_t bytes) override {
    // Who has left ends at once, and must not wait before that.
    if (bytes <= held() || call_.client_gone_)
      return true;
    std::uint64_t& small = call_.small_taken_;
    if (bytes <= kSmall && call_.budget_taken_ == 0 &&
        call_.services_.small_budget.take_at_once(bytes - small, small)) {
      small = bytes;
      return true;
    }
    const std::uint64_t more = next_part(bytes);
    if (!call_.services_.budget.take_at_once(more, call_.budget_taken_, &*call_.arriving_))
      return false;
    note_taken(more);
    return true;
  }
  Task<void> grow_to(std::size_t bytes) override {
    const std::uint64_t more = next_part(bytes);
    if (co_await call_.services_.budget.take_when_room(more, call_.budget_taken_,
                                                       &*call_.arriving_)) {
      note_taken(more);
    }
  }
  // Of a body that is here to its end; it waits no more.
  void take_rest(std::size_t bytes) {
    if (bytes <= held())
      return;
    const bool is_small = bytes <= kSmall && call_.budget_taken_ == 0;
    const std::uint64_t rest = bytes - held();
    (is_small ? call_.services_.small_budget : call_.services_.budget).take(rest);
    (is_small ? call_.small_taken_ : call_.budget_taken_) += rest;
  }

 private:
  std::uint64_t held() const { return call_.budget_taken_ + call_.small_taken_; }
  // What is missing of it in the budget for large ones.
  std::uint64_t next_part(std::uint64_t bytes) const {
    return std::max(bytes, std::min(2 * held(), most_)) - call_.budget_taken_;
  }
  void note_taken(std::uint64_t bytes) {
    call_.budget_taken_ += bytes;
    call_.services_.small_budget.give_back(std::exchange(call_.small_taken_, 0));
  }

  ProxiedCall& call_;
  std::uint64_t most_;
};

Task<BodyRead> ProxiedCall::read_body() {
  if (is_bidirectional()) {
    both_ways_ = intercepted() && exchange_.streams_both_ways();
    if (!both_ways_)
      exchange_.leave_body();
    co_return BodyRead::complete;
  }
  std::string& body = invocation_.request.bytes;
  arriving_.emplace(services_.budget, Steady::now(), [this] {
    cut_slow_ = true;
    exchange_.abort();
  });
  GrowingBody room(*this);
  const BodyRead read =
      co_await exchange_.read_body(body, services_.limits.max_request_bytes, &room);
  arriving_.reset();
  // What came with its end, while it waited, or until it was refused.
  room.take_rest(body.size());
  invocation_.request.total = body.size();
  co_return cut_slow_ ? BodyRead::client_gone : read;
}

Task<bool> ProxiedCall::check_kind() {
  const RequestHead& request = exchange_.request();
  const Interception* interception = exchange_.interception();
  if (request.method == "CONNECT") {
    // Someone took the endpoint for a proxy; signing that and sending it to the service helps
    // nobody.
    exchange_.leave_body();
    co_await refuse(405, "ValidationException",
                    intercepted() ? "invlog: this connection is intercepted already"
                                  : "invlog: this is an endpoint, not a proxy: give the "
                                    "application its address as AWS_ENDPOINT_URL_BEDROCK_RUNTIME, "
                                    "not as HTTPS_PROXY",
                    bedrock::Outcome::denied);
    co_return false;
  }
  // A target with a scheme and a host, too, could name another model than policy and record saw.
  if (!request.target.starts_with('/') && !(request.target == "*" && request.method == "OPTIONS")) {
    exchange_.leave_body();
    co_await refuse(400, "ValidationException",
                    "invlog: the request's target must be a path that begins with /",
                    bedrock::Outcome::denied);
    co_return false;
  }
  if (interception != nullptr && !is_meant_for(request, interception->host, interception->port)) {
    exchange_.leave_body();
    co_await refuse(421, "ValidationException",
                    "invlog: the connection is for " + interception->host +
                        ", but the request's Host names another",
                    bedrock::Outcome::denied);
    co_return false;
  }
  co_return true;
}

Task<bool> ProxiedCall::check_both_ways() {
  if (!is_bidirectional() || both_ways_)
    co_return true;
  co_await refuse(
      400, "ValidationException",
      intercepted() ? "invlog: InvokeModelWithBidirectionalStream needs HTTP/2"
                    : "invlog: InvokeModelWithBidirectionalStream is signed frame by frame, which "
                      "the agent cannot do for the application: use proxy mode (`invlog ca "
                      "--help`)",
      bedrock::Outcome::denied);
  co_return false;
}

bool ProxiedCall::is_bidirectional() const {
  return target_ &&
         target_->operation == bedrock::Operation::invoke_model_with_bidirectional_stream;
}

Task<bool> ProxiedCall::prepare() {
  if (!co_await check_kind())
    co_return false;
  const BodyRead read = co_await read_body();
  // However the call goes on, its record needs room: without it, the next call waits here.
  const bool admitted = !target_ || co_await services_.recorder.admit();
  switch (read) {
    case BodyRead::complete:
      break;
    case BodyRead::too_large:
      invocation_.request.truncated = true;
      co_await refuse(413, "RequestEntityTooLargeException",
                      "invlog: the request body is over the agent's max_request_size of " +
                          std::to_string(services_.limits.max_request_bytes) + " bytes",
                      bedrock::Outcome::error);
      co_return false;
    case BodyRead::malformed:
      invocation_.request.truncated = true;
      co_await refuse(400, "ValidationException", "invlog: malformed request body",
                      bedrock::Outcome::error);
      co_return false;
    case BodyRead::client_gone:
      invocation_.request.truncated = true;
      finish(bedrock::Outcome::client_closed,
             cut_slow_ ? "the agent ended the connection: the request was slow to arrive while "
                         "others waited for memory"
                       : "the client closed before its request was complete");
      co_return false;
  }
  if (!admitted) {
    co_await refuse(503, "ServiceUnavailableException",
                    "invlog: the record store is failing, and on_storage_failure is \"deny\"; see "
                    "`invlog status` on this host",
                    bedrock::Outcome::denied);
    co_return false;
  }
  if (client_gone_) {
    finish(bedrock::Outcome::client_closed, "the client closed before its request was forwarded");
    co_return false;
  }
  if (left_without_name()) {
    exchange_.abort();
    finish(bedrock::Outcome::client_closed,
           "the client closed before it could be told who calls, which the policy asks");
    co_return false;
  }
  co_return true;
}

bool ProxiedCall::left_without_name() const {
  return policy_->asks_for_caller() && !exchange_.caller().uid && exchange_.peer().left;
}

bool ProxiedCall::is_unnamed() const {
  return policy_->asks_for_caller() &&
         services_.go_betweens.include(exchange_.caller(), exchange_.peer());
}

std::optional<std::uint32_t> ProxiedCall::user_to_name() const {
  if (is_unnamed())
    return std::nullopt;
  return target_ || policy_->asks_for_caller() ? exchange_.caller().uid : std::nullopt;
}

Task<std::string> ProxiedCall::name_caller() {
  const std::optional<std::uint32_t> uid = user_to_name();
  if (!uid)
    co_return "";
  const bool judged = policy_->asks_for_caller();
  std::optional<std::string> name = services_.names.known(*uid);
  if (judged || !name) {  // for the record alone, one that is asked for anew will do
    // Also for a client that leaves meanwhile: it is judged as the user that it was.
    Event nobody_else_wakes;
    name = co_await services_.names.of(*uid, nobody_else_wakes);
  }
  // As it was judged, whatever is found out later.
  invocation_.caller.name = name.value_or(judged ? std::to_string(*uid) : "");
  co_return judged ? name.value_or("") : "";
}

Task<bool> ProxiedCall::judge() {
  const std::string caller = co_await name_caller();
  std::string& body = invocation_.request.bytes;
  std::string coding = CallJudge::coding_to_undo(*policy_, exchange_.request(), target_, body);
  std::string decoded;
  const bool coded = !coding.empty();
  if (coded) {
    decoded = co_await services_.decoder.decode(std::move(coding), body,
                                                CallJudge::most_decoded(*policy_));
  }
  Judgement judgement =
      services_.judge.judge(*policy_, exchange_.request(), target_, caller, coded ? decoded : body);
  if (judgement.decision == residency::Decision::flag)
    ++services_.statistics.flagged;
  if (judgement.decision != residency::Decision::deny) {
    invocation_.residency = std::move(judgement.residency);
    co_return true;
  }
  ++services_.statistics.policy_denied;
  if (!target_) {
    std::string details = services_.judge.event_of(judgement, exchange_.request().target);
    if (!details.empty())
      services_.recorder.note_event("policy-denied", std::move(details));
  }
  invocation_.residency = std::move(judgement.residency);
  co_await refuse(
      403, "AccessDeniedException",
      "invlog: denied by policy: " + judgement.reason +
          ". Use a model or an inference profile that the policy allows; `invlog policy "
          "show` on this host lists its rules",
      bedrock::Outcome::denied);
  co_return false;
}

Task<bool> ProxiedCall::authorize() {
  const RequestHead& request = exchange_.request();
  const bool as_it_is = intercepted() || has_bearer_key(request);
  aws::ProvideResult provided = std::optional<aws::Credentials>();
  if (!as_it_is) {
    provided = co_await services_.credentials.get();
    if (client_gone_) {
      finish(bedrock::Outcome::client_closed, "the client closed while it waited for credentials");
      co_return false;
    }
    if (!provided || !*provided) {
      const std::string problem =
          provided ? kNoCredentials
                   : "invlog: the agent's AWS credentials: " + provided.error().message;
      services_.statistics.note_error(problem);
      co_await refuse(403, "AccessDeniedException", problem, bedrock::Outcome::denied);
      co_return false;
    }
    signed_with_ = (*provided)->access_key_id;
    if (signed_with_ != services_.signing_identity.access_key_id &&
        services_.signed_with_unknown_key)
      services_.signed_with_unknown_key(signed_with_);
    name_signer();
  }
  if (target_ && services_.recorder.strict()) {
    bedrock::Invocation intent = invocation_;
    intent.outcome = bedrock::Outcome::interrupted;
    intent.error = "the agent ended, or its store failed, while the call was under way";
    if (!co_await services_.recorder.begin(std::move(intent), intent_)) {
      co_await refuse(503, "ServiceUnavailableException",
                      "invlog: the request could not be put on record, and on_storage_failure is "
                      "\"deny\"; see `invlog status` on this host",
                      bedrock::Outcome::denied);
      co_return false;
    }
    if (client_gone_) {
      finish(bedrock::Outcome::client_closed, "the client closed while it waited for the store");
      co_return false;
    }
  }
  if (intercepted()) {
    upstream_head_ = passed_head(request, invocation_.request.bytes);
    if (is_passed_in_chunks(request))
      chunked_body_ = in_chunks(invocation_.request.bytes);
  } else {
    upstream_head_ =
        services_.signer.upstream_head(request, invocation_.request.bytes, pool_.endpoint(),
                                       as_it_is ? nullptr : &**provided, services_.wall_clock());
  }
  co_return true;
}

void ProxiedCall::name_signer() {
  const SigningIdentity& known = services_.signing_identity;
  if (invocation_.identity_arn.empty() && !signed_with_.empty() &&
      signed_with_ == known.access_key_id)
    invocation_.identity_arn = known.arn;
}

void ProxiedCall::keep(bedrock::CapturedBody& body, std::string_view bytes, std::uint64_t announced,
                       std::uint64_t limit) {
  body.total += bytes.size();
  if (body.truncated)
    return;
  const std::uint64_t have = body.bytes.size();
  const std::uint64_t wanted = std::min<std::uint64_t>(bytes.size(), limit - have);
  std::uint64_t kept = services_.copies_budget.take_up_to(wanted);
  if (kept < wanted && have + kept < kAlwaysKept) {
    const std::uint64_t more = std::min(wanted, kAlwaysKept - have) - kept;
    if (services_.copies_budget.take_beyond(more))
      kept += more;
  }
  copies_taken_ += kept;
  if (kept < wanted) {
    services_.cut_for_memory.say(Steady::now(),
                                 "the record of a call has not all of a body: those of the calls "
                                 "under way fill the memory for them, 4 times the larger of "
                                 "max_recorded_response_size and max_request_size");
  }
  if (body.bytes.empty())
    body.bytes.reserve(kept + std::min(announced, kReservedAtMost) + bedrock::kBodySlack);
  body.bytes.append(bytes.substr(0, kept));
  body.truncated = kept < bytes.size();
}

void ProxiedCall::tee_request(std::string_view bytes) {
  if (!finished_ && !bytes.empty())
    keep(invocation_.request, bytes, 0, services_.limits.max_request_bytes);
}

void ProxiedCall::tee(std::string_view bytes) {
  if (!target_ || bytes.empty())
    return;
  keep(invocation_.response, bytes, client_ ? client_->remaining() : 0,
       services_.limits.max_recorded_response_bytes);
}

bedrock::Outcome ProxiedCall::interruption() const {
  if (client_gone_)
    return bedrock::Outcome::client_closed;
  return timed_out_ ? bedrock::Outcome::timeout : bedrock::Outcome::upstream_closed;
}

Task<void> ProxiedCall::refuse(int status, std::string_view type, std::string message,
                               bedrock::Outcome outcome) {
  if (outcome == bedrock::Outcome::denied || outcome == bedrock::Outcome::error)
    ++services_.statistics.denied;
  const LocalResponse refusal = aws_error(status, type, message);
  invocation_.status = status;
  invocation_.response_headers = refusal.head.headers;
  tee(refusal.body);
  co_await give_response(exchange_, refusal.head, refusal.body);
  finish(outcome, std::move(message));
}

void ProxiedCall::close_books(bedrock::Outcome outcome, std::string error) {
  if (services_.cutting && outcome != bedrock::Outcome::complete) {
    outcome = bedrock::Outcome::interrupted;
    error = "the agent stopped before the call was complete";
  }
  invocation_.outcome = outcome;
  invocation_.all_passed_on = invocation_.all_passed_on && exchange_.client_read_all();
  invocation_.error = std::move(error);
  invocation_.not_sent = !forwarded_;
  invocation_.duration_us = elapsed_us();
  name_signer();
  if (invocation_.caller.uid && invocation_.caller.name.empty())
    invocation_.caller.name = services_.names.known(*invocation_.caller.uid).value_or("");
  services_.statistics.ended.count(target_->operation, invocation_);
  services_.log.ended(target_->operation, invocation_, services_.watchdog.now());
  give_back_memory();
}

void ProxiedCall::finish(bedrock::Outcome outcome, std::string error) {
  if (!target_ || std::exchange(finished_, true))
    return;
  close_books(outcome, std::move(error));
  services_.recorder.finish(std::move(invocation_), intent_);
}

}  // namespace invlog::capture

// The part of a call that deals with the upstream: the request on its way there, and the response
// on its way back.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>

#include "agent/bedrock/content_coding.h"
#include "agent/capture/clock_problem.h"
#include "agent/capture/http1_client.h"
#include "agent/capture/http2_client.h"
#include "agent/capture/proxied_call.h"
#include "exporters/aws/repeated_request.h"

namespace invlog::capture {
namespace {

// A large body is written in parts, so that the idle timeout counts from the last progress.
constexpr std::size_t kWritePart = 256 * 1024;
// An upstream that takes nothing of the request for so long is looked at for an early answer.
constexpr std::chrono::milliseconds kEarlyAnswerPause{1000};
// A service's error has a few hundred bytes, and as many as a request's headers if it repeats them.
// What is longer is something else, and passes as it comes.
constexpr std::size_t kLongestHeld = 64 * 1024;
// The same without its content coding.
constexpr std::size_t kLongestHeldDecoded = 1024 * 1024;

}  // namespace

Task<std::string> ProxiedCall::send() {
  // It may have left while the credentials were looked up.
  if (client_gone_)
    co_return std::string("gave up");
  std::string problem = co_await attempt(!both_ways_);
  const bool unanswered =
      !problem.empty() && !client_gone_ && !timed_out_ && client_ && client_->nothing_received();
  // What is sent in pieces is gone once it is sent, and never goes by a kept connection.
  const bool replaceable = unanswered && connection_ && connection_->reused &&
                           (client_->not_taken() || !connection_->server_took_some());
  if (replaceable)
    problem = co_await attempt(false);
  deadline_.disarm();
  co_return problem;
}

Task<std::string> ProxiedCall::connect(bool may_reuse) {
  connection_ = may_reuse ? pool_.take_idle() : nullptr;
  if (connection_)
    co_return std::string();
  connection_ = pool_.make();
  connecting_ = true;
  deadline_.arm(services_.limits.connect_timeout);
  std::string problem = co_await connection_->open();
  if (problem.empty() && (client_gone_ || timed_out_))
    problem = "gave up";
  if (problem.empty())
    connecting_ = false;
  co_return problem;
}

std::unique_ptr<UpstreamExchange> ProxiedCall::make_client() {
  if (connection_->speaks_http2()) {
    return std::make_unique<Http2Client>(*connection_, exchange_.request(),
                                         exchange_.request().authority);
  }
  return std::make_unique<Http1Client>(*connection_, upstream_head_,
                                       intercepted() && exchange_.takes_raw());
}

Task<void> ProxiedCall::send_request(error_code& failure) {
  std::string_view body = chunked_body_.empty() ? invocation_.request.bytes : chunked_body_;
  const auto take_part = [&] {
    const std::string_view part = body.substr(0, kWritePart);
    body.remove_prefix(part.size());
    return part;
  };
  deadline_.arm(services_.limits.idle_timeout);
  sending_ = true;
  answered_early_ = false;
  acknowledged_.reset();
  early_answer_.arm(early_answer_pause());
  const std::string_view first = take_part();
  co_await client_->begin(first, body.empty(), failure);
  while (!failure && !answered_early_ && !body.empty()) {
    deadline_.arm(services_.limits.idle_timeout);
    const std::string_view part = take_part();
    co_await client_->send(part, body.empty(), failure);
  }
  sending_ = false;
  early_answer_.disarm();
}

std::chrono::milliseconds ProxiedCall::early_answer_pause() const {
  return std::min(kEarlyAnswerPause, services_.limits.idle_timeout / 8);
}

// A server may answer, read no more and keep the connection: the write would wait for ever, and
// the answer be lost. Only where the write does not get on: a server that reads to the end is given
// all.
void ProxiedCall::look_for_early_answer() {
  if (!sending_ || !connection_)
    return;
  const auto before = std::exchange(acknowledged_, connection_->acknowledged());
  if (acknowledged_ && acknowledged_ == before && client_->answered()) {
    answered_early_ = true;
    connection_->stop_write();
  }
  // Also after that: it may have come between two writes.
  early_answer_.arm(early_answer_pause());
}

Task<std::string> ProxiedCall::attempt(bool may_reuse) {
  client_.reset();
  std::string problem = co_await connect(may_reuse);
  if (!problem.empty())
    co_return problem;
  if (both_ways_ && !connection_->speaks_http2())
    co_return std::string("does not offer HTTP/2, which InvokeModelWithBidirectionalStream needs");
  client_ = make_client();
  forwarded_ = true;
  connection_->mark_request();
  error_code failure;
  if (both_ways_) {
    co_await begin_both_ways(failure);
  } else {
    co_await send_request(failure);
  }
  // A server may refuse a request that it has not read to its end: its answer counts then, if there
  // is one.
  deadline_.arm(services_.limits.idle_timeout);
  problem = co_await client_->read_head(exchange_.request().method == "HEAD", response_);
  if (!problem.empty() && failure && client_->nothing_received())
    problem = failure.message();
  // A server that wants a certificate of the client says so only after the handshake (TLS 1.3).
  if (!problem.empty() && !connection_->tls_problem().empty())
    problem = connection_->tls_problem();
  co_return problem;
}

Task<void> ProxiedCall::begin_both_ways(error_code& failure) {
  deadline_.arm(services_.limits.idle_timeout);
  co_await client_->begin({}, false, failure);
  if (failure)
    co_return;
  sending_pieces_ = true;
  const Executor executor = co_await asio::this_coro::executor;
  asio::co_spawn(executor, send_pieces(), asio::detached);
}

Task<void> ProxiedCall::send_pieces() {
  error_code failure;
  PieceRead read = PieceRead::more;
  std::string piece;
  while (!failure && read == PieceRead::more) {
    piece.clear();
    read = co_await exchange_.read_some_body(piece);
    if (read == PieceRead::client_gone)
      break;
    tee_request(piece);
    deadline_.arm(services_.limits.idle_timeout);
    co_await client_->send(piece, read == PieceRead::last, failure);
  }
  sending_pieces_ = false;
  pieces_sent_.set();
}

// What sends the request must not outlive the call.
Task<void> ProxiedCall::end_both_ways() {
  if (!sending_pieces_)
    co_return;
  if (connection_)
    connection_->cancel();
  while (sending_pieces_)
    co_await pieces_sent_.wait();
}

bool ProxiedCall::may_repeat_request() const {
  return !signed_with_.empty() && response_.status / 100 == 4 &&
         response_.body != ResponseHead::Body::none;
}

// Whatever its type: also what is no JSON may be an error of AWS's.
Task<UpstreamExchange::Piece> ProxiedCall::first_piece() {
  UpstreamExchange::Piece piece = client_->buffered();
  tee(piece.bytes);
  if (!may_repeat_request())
    co_return piece;
  held_ = piece.bytes;
  while (!piece.end && piece.problem.empty() && !client_gone_ && held_.size() <= kLongestHeld) {
    deadline_.arm(services_.limits.idle_timeout);
    piece = co_await client_->next();
    tee(piece.bytes);
    held_ += piece.bytes;
  }
  deadline_.disarm();
  if (held_.size() <= kLongestHeld)
    look_at_refusal(piece.end);
  piece.bytes = held_;
  co_return piece;
}

void ProxiedCall::note_wrong_clock(std::string_view body) {
  std::string problem = clock_problem(response_, body, services_.wall_clock());
  if (!problem.empty() && services_.wrong_clock.say(Steady::now(), problem))
    services_.statistics.note_error(std::move(problem));
}

// What it repeats of the request goes. Its record is made of the response as it came: the record
// builder cuts that itself, and says so.
void ProxiedCall::look_at_refusal(bool whole) {
  const std::string coding = bedrock::joined_header(response_.headers, "content-encoding");
  std::string body =
      bedrock::has_content_coding(coding)
          ? bedrock::decode_content(coding, held_, kLongestHeldDecoded).value_or(std::string())
          : held_;
  note_wrong_clock(body);
  if (!aws::cut_repeated_request(body))
    return;
  if (!whole) {
    held_.clear();  // another length was announced
    return;
  }
  held_ = std::move(body);
  std::erase_if(response_.headers, [](const Header& header) {
    return equal_ignoring_case(header.first, "content-encoding");
  });
  for (auto& [name, value] : response_.headers) {
    if (equal_ignoring_case(name, "content-length"))
      value = std::to_string(held_.size());
  }
}

Task<void> ProxiedCall::pass_response() {
  invocation_.first_byte_us = elapsed_us();
  invocation_.status = response_.status;
  invocation_.response_headers = response_.headers;
  // As received, where that is possible; else its bytes without the transfer coding.
  const bool raw = !response_.raw.empty();
  const auto outgoing = [raw](const UpstreamExchange::Piece& piece) {
    return raw ? piece.raw : piece.bytes;
  };
  bool started = false;
  UpstreamExchange::Piece piece = co_await first_piece();
  for (;;) {
    if (piece.end)
      break;
    if (!piece.problem.empty()) {
      if (!started && !client_gone_) {
        co_await exchange_.start_response(response_, outgoing(piece), false);
      }
      const bedrock::Outcome outcome = interruption();
      invocation_.all_passed_on = started && client_gone_ && piece.bytes.empty();
      exchange_.abort();
      std::string error = outcome == bedrock::Outcome::client_closed ? "the client closed"
                          : outcome == bedrock::Outcome::timeout
                              ? "the upstream was silent for longer than [agent] idle_timeout"
                              : "the upstream " + piece.problem;
      if (outcome != bedrock::Outcome::client_closed) {
        ++services_.statistics.upstream_errors;
        services_.statistics.note_error(error);
      }
      finish(outcome, std::move(error));
      co_return;
    }
    // The upstream's silence counts while it is read from, not while the client is written to.
    deadline_.disarm();
    bool there = true;
    if (!started) {
      there = co_await exchange_.start_response(response_, outgoing(piece), false);
      started = true;
    } else if (!outgoing(piece).empty()) {
      there = co_await exchange_.continue_response(outgoing(piece), false, {});
    }
    if (!there || client_gone_) {
      invocation_.all_passed_on = there;
      client_gone_ = true;
      connection_->cancel();
      exchange_.abort();
      finish_undelivered();
      co_return;
    }
    deadline_.arm(services_.limits.idle_timeout);
    piece = co_await client_->next();
    tee(piece.bytes);
  }
  deadline_.disarm();
  // HTTP's own end alone may be what the client does not wait for.
  invocation_.all_passed_on = started && piece.bytes.empty();
  co_await end_response(outgoing(piece), started);
}

Task<void> ProxiedCall::end_response(std::string_view last, bool started) {
  Headers trailers = client_->trailers();
  invocation_.response_headers.insert(invocation_.response_headers.end(), trailers.begin(),
                                      trailers.end());
  if (target_ && services_.recorder.strict()) {
    const std::string held(last);  // the connection may go back, and its buffer with it
    give_back_connection();
    finished_ = true;
    close_books(bedrock::Outcome::complete, "");
    if (!co_await services_.recorder.finish_and_wait(std::move(invocation_), intent_)) {
      exchange_.abort();
      co_return;
    }
    if (started) {
      co_await exchange_.continue_response(held, true, trailers);
    } else if (trailers.empty()) {
      co_await exchange_.start_response(response_, held, true);
    } else if (co_await exchange_.start_response(response_, held, false)) {
      co_await exchange_.continue_response({}, true, trailers);
    }
    co_return;
  }
  bool there;
  if (started) {
    there = co_await exchange_.continue_response(last, true, trailers);
  } else if (trailers.empty()) {
    there = co_await exchange_.start_response(response_, last, true);
  } else {
    there = co_await exchange_.start_response(response_, last, false) &&
            co_await exchange_.continue_response({}, true, trailers);
  }
  give_back_connection();
  if (there) {
    finish(bedrock::Outcome::complete, "");
  } else {
    finish_undelivered();
  }
}

void ProxiedCall::finish_undelivered() {
  std::string problem = exchange_.send_problem();
  if (problem.empty()) {
    finish(bedrock::Outcome::client_closed, "the client closed before the response was complete");
  } else {
    services_.statistics.note_error(problem);
    finish(bedrock::Outcome::upstream_closed, std::move(problem));
  }
}

void ProxiedCall::give_back_connection() {
  if (both_ways_)
    return;  // it may still be sent on
  const bool reusable = client_ && client_->reusable() && !client_gone_ && !timed_out_;
  client_.reset();  // it must not see what the connection carries next
  if (reusable)
    pool_.give_back(std::move(connection_));
  connection_.reset();
}

Task<void> ProxiedCall::answer_upstream_problem(const std::string& problem) {
  const bedrock::Outcome outcome = interruption();
  if (outcome == bedrock::Outcome::client_closed) {
    exchange_.abort();
    finish(outcome, "the client closed before it was answered");
    co_return;
  }
  ++services_.statistics.upstream_errors;
  std::string message;
  if (outcome == bedrock::Outcome::timeout) {
    const auto limit =
        connecting_ ? services_.limits.connect_timeout : services_.limits.idle_timeout;
    message = std::string("invlog: upstream ") + pool_.endpoint().host_header + ": no " +
              (connecting_ ? "connection" : "answer") + " within " + std::to_string(limit.count()) +
              " ms ([agent] " + (connecting_ ? "connect_timeout" : "idle_timeout") + ")";
  } else {
    message = "invlog: upstream " + pool_.endpoint().host_header + ": " + problem;
  }
  services_.statistics.note_error(message);
  const int status = outcome == bedrock::Outcome::timeout ? 504 : 502;
  co_await refuse(status, "ServiceUnavailableException", std::move(message), outcome);
}

}  // namespace invlog::capture

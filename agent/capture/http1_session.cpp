#include "agent/capture/http1_session.h"

#include <algorithm>
#include <array>
#include <boost/asio/redirect_error.hpp>
#include <charconv>
#include <cstring>
#include <vector>

#include "agent/capture/buffer_range.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kBufferBytes = 4 * 1024;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

class Http1Session::Exchange1 : public Exchange {
 public:
  explicit Exchange1(Http1Session& session) : session_(session) {
    Http1Parser& parser = session.parser_;
    request_.method = std::move(parser.method);
    request_.target = std::move(parser.target);
    request_.headers = std::move(parser.headers);
    if (parser.framing == Http1Parser::Framing::length) {
      request_.content_length = parser.content_length;
    } else if (parser.framing == Http1Parser::Framing::none) {
      request_.content_length = 0;
    }
    request_.minor_version = parser.minor_version;
    version_1_0_ = parser.minor_version == 0;
    const bool keep_alive = header_has_token(request_.headers, "connection", "keep-alive");
    close_ =
        header_has_token(request_.headers, "connection", "close") || (version_1_0_ && !keep_alive);
    expects_continue_ =
        !version_1_0_ && header_has_token(request_.headers, "expect", "100-continue");
  }

  RequestHead& request() override { return request_; }
  const bedrock::Caller& caller() override { return session_.caller_.caller(); }
  const Peer& peer() override { return session_.caller_.peer(); }
  Interception* interception() override { return session_.interception_.get(); }
  bool takes_raw() const override { return true; }
  bool client_read_all() const override { return session_.ended_in_order_; }
  Task<bool> turn_over(Turn turn) override {
    constexpr std::string_view kEstablished = "HTTP/1.1 200 Connection established\r\n\r\n";
    started_ = true;
    const asio::const_buffer line(kEstablished.data(), kEstablished.size());
    if (!co_await session_.write(&line, 1))
      co_return false;
    session_.turn_ = std::move(turn);
    co_return true;
  }
  void leave_body() override {
    if (session_.parser_.framing != Http1Parser::Framing::none)
      close_ = true;
    else
      body_complete_ = true;
  }
  void when_client_gone(std::function<void()> gone) override {
    session_.client_gone_ = std::move(gone);
  }

  Task<BodyRead> read_body(std::string& body, std::size_t limit, BodyRoom* room) override {
    session_.reading_body_ = true;
    const BodyRead result = co_await read(body, limit, room);
    session_.reading_body_ = false;
    if (result == BodyRead::complete) {
      body_complete_ = true;
      // To hear of the client's end. Not where the next request has begun to arrive: that one's
      // body is read straight into its place, and two reads would share its bytes.
      session_.drop_empty_lines();
      if (session_.buffered().empty())
        session_.start_read();
    } else {
      close_ = true;
    }
    session_.deadline_.disarm();
    co_return result;
  }

  Task<bool> start_response(const ResponseHead& head, std::string_view body, bool end) override {
    started_ = true;
    session_head_.clear();
    chunked_ = false;
    session_.open_ended_ = version_1_0_ && head.body == ResponseHead::Body::unknown;
    if (head.raw.empty()) {
      write_head(head);
    } else {
      take_head(head);
    }
    co_return co_await send(session_head_, body, end, {});
  }

  Task<bool> continue_response(std::string_view body, bool end, const Headers& trailers) override {
    co_return co_await send({}, body, end, trailers);
  }

  void abort() override {
    close_ = true;
    session_.client_gone_ = nullptr;
    if (!session_.open_ended_)
      session_.stream_.cut();
    session_.close();
  }

  bool started() const { return started_; }
  bool must_close() const { return close_ || !ended_; }
  bool body_complete() const { return body_complete_; }

 private:
  void write_head(const ResponseHead& head) {
    std::string& out = session_head_;
    out.reserve(512);
    out += "HTTP/1.1 ";
    out += std::to_string(head.status);
    out += ' ';
    out += head.reason;
    out += "\r\n";
    for (const auto& [name, value] : head.headers) {
      out += name;
      out += ": ";
      out += value;
      out += "\r\n";
    }
    if (session_.open_ended_) {
      close_ = true;
    } else if (head.body == ResponseHead::Body::unknown) {
      chunked_ = true;
      out += "Transfer-Encoding: chunked\r\n";
    }
    if (session_.draining_)
      close_ = true;
    if (close_) {
      out += "Connection: close\r\n";
    } else if (version_1_0_) {
      out += "Connection: keep-alive\r\n";
    }
    out += "\r\n";
  }

  // As received; but who stops says so.
  void take_head(const ResponseHead& head) {
    session_head_ = head.raw;
    if (head.closes) {
      close_ = true;
    } else if (session_.draining_ && session_head_.size() > 2) {
      close_ = true;
      session_head_.insert(session_head_.size() - 2, "Connection: close\r\n");
    }
  }

  Task<BodyRead> read(std::string& body, std::size_t limit, BodyRoom* room) {
    const auto framing = session_.parser_.framing;
    if (framing == Http1Parser::Framing::none)
      co_return BodyRead::complete;
    if (framing == Http1Parser::Framing::length && *request_.content_length > limit) {
      co_return BodyRead::too_large;
    }
    session_.hurry(session_.options_.client_stall_timeout);
    if (expects_continue_ && session_.buffered().empty()) {
      const asio::const_buffer line(kContinue.data(), kContinue.size());
      if (!co_await session_.write(&line, 1))
        co_return BodyRead::client_gone;
    }
    if (framing == Http1Parser::Framing::length)
      co_return co_await read_length(body, room);
    co_return co_await read_chunked(body, limit, room);
  }

  static bool has_room(BodyRoom* room, std::size_t bytes) {
    return room == nullptr || room->grow_at_once(bytes);
  }

  // Meanwhile it is the client who waits.
  Task<void> wait_for_room(BodyRoom& room, std::size_t bytes) {
    session_.deadline_.disarm();
    session_.reading_body_ = false;
    co_await room.grow_to(bytes);
    session_.reading_body_ = true;
    session_.waiting_since_ = std::chrono::steady_clock::now();
    session_.hurry(session_.options_.client_stall_timeout);
  }

  // Straight into the string; it grows as bytes arrive, because a length that was only announced
  // costs nothing yet.
  Task<BodyRead> read_length(std::string& body, BodyRoom* room) {
    const std::size_t length = static_cast<std::size_t>(*request_.content_length);
    const std::string_view early = session_.buffered().substr(0, length);
    body.reserve(std::min<std::size_t>(length, 128 * 1024) + bedrock::kBodySlack);
    body.assign(early);
    session_.consume(early.size());
    std::size_t have = body.size();
    if (!has_room(room, have))
      co_await wait_for_room(*room, have);
    while (have < length) {
      if (have == body.size()) {
        const std::size_t next = std::min(length, std::max(have * 2, BodyRoom::kSmall));
        // What is resized is in memory, whether bytes have come for it or not.
        if (next > BodyRoom::kSmall && !has_room(room, next))
          co_await wait_for_room(*room, next);
        body.resize(next);
      }
      error_code failure;
      have += co_await session_.stream_.async_read_some(
          asio::buffer(body.data() + have, body.size() - have),
          asio::redirect_error(use_task, failure));
      session_.hurry(session_.options_.client_stall_timeout);
      if (failure) {
        body.resize(have);
        session_.at_end_ = true;
        co_return BodyRead::client_gone;
      }
      if (!has_room(room, have))
        co_await wait_for_room(*room, have);
    }
    co_return BodyRead::complete;
  }

  Task<BodyRead> read_chunked(std::string& body, std::size_t limit, BodyRoom* room) {
    for (;;) {
      std::size_t consumed = 0;
      const bool good = session_.parser_.feed_chunked(session_.buffered(), consumed, body);
      session_.consume(consumed);
      if (!good)
        co_return BodyRead::malformed;
      if (body.size() > limit)
        co_return BodyRead::too_large;
      if (session_.parser_.done())
        co_return BodyRead::complete;
      if (!has_room(room, body.size()))
        co_await wait_for_room(*room, body.size());
      session_.hurry(session_.options_.client_stall_timeout);
      // A chunk header or a trailer section that fills the whole buffer.
      if (session_.buffered().size() >= Http1Parser::kMaxHeadBytes)
        co_return BodyRead::malformed;
      if (!co_await session_.read_more())
        co_return BodyRead::client_gone;
    }
  }

  Task<bool> send(std::string_view head, std::string_view body, bool end, const Headers& trailers) {
    std::array<asio::const_buffer, 5> buffers;
    std::size_t count = 0;
    const auto add = [&](std::string_view bytes) {
      if (!bytes.empty())
        buffers[count++] = asio::const_buffer(bytes.data(), bytes.size());
    };
    add(head);
    char size_line[20];
    if (chunked_ && !body.empty()) {
      char* after = std::to_chars(size_line, size_line + 16, body.size(), 16).ptr;
      *after++ = '\r';
      *after++ = '\n';
      add({size_line, static_cast<std::size_t>(after - size_line)});
      add(body);
      add("\r\n");
    } else {
      add(body);
    }
    std::string last;
    if (end && chunked_) {
      last = "0\r\n";
      for (const auto& [name, value] : trailers)
        last += name + ": " + value + "\r\n";
      last += "\r\n";
      add(last);
    }
    if (end)
      ended_ = true;
    const bool there = count == 0 || co_await session_.write(buffers.data(), count);
    if (end && there)
      session_.open_ended_ = false;
    co_return there;
  }

  Http1Session& session_;
  RequestHead request_;
  std::string session_head_;
  bool version_1_0_ = false, close_ = false, expects_continue_ = false;
  bool chunked_ = false, started_ = false, ended_ = false, body_complete_ = false;
};

Http1Session::Http1Session(AcceptedConnection connection, const ExchangeHandler& handler,
                           const SessionOptions& options, Watchdog& watchdog, ClientCounts& counts)
    : stream_(std::move(connection.stream)),
      caller_(std::move(connection.caller)),
      interception_(std::move(connection.interception)),
      handler_(handler),
      options_(options),
      counts_(counts),
      deadline_(watchdog, [this] { on_deadline(); }),
      parser_(Http1Parser::Kind::request) {
  buffer_.resize(std::max(kBufferBytes, connection.first_bytes.size()));
  std::memcpy(buffer_.data(), connection.first_bytes.data(), connection.first_bytes.size());
  end_ = connection.first_bytes.size();
}

std::string_view Http1Session::buffered() const {
  return std::string_view(buffer_).substr(begin_, end_ - begin_);
}

void Http1Session::consume(std::size_t bytes) {
  begin_ += bytes;
  // Not while a read writes behind end_.
  if (begin_ == end_ && !reading_)
    begin_ = end_ = 0;
}

// Before a request they are ignored (RFC 9112 §2.2).
void Http1Session::drop_empty_lines() {
  while (!buffered().empty() && (buffered().front() == '\r' || buffered().front() == '\n'))
    consume(1);
}

void Http1Session::start_read() {
  if (reading_ || at_end_)
    return;
  if (begin_ > 0 && begin_ == end_)
    begin_ = end_ = 0;
  if (end_ == buffer_.size()) {
    if (begin_ == 0)
      return;
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  reading_ = true;
  stream_.async_read_some(asio::buffer(buffer_.data() + end_, buffer_.size() - end_),
                          [self = shared_from_this()](error_code failure, std::size_t bytes) {
                            self->on_read(failure, bytes);
                          });
}

void Http1Session::on_read(error_code failure, std::size_t bytes) {
  reading_ = false;
  end_ += bytes;
  if (failure) {
    at_end_ = true;
    ended_in_order_ = failure != asio::error::connection_reset;
  }
  if (at_end_)
    stop_waiting();
  readable_.set();
}

void Http1Session::stop_waiting() {
  if (in_exchange_ && client_gone_)
    std::exchange(client_gone_, nullptr)();
}

void Http1Session::hurry(std::chrono::milliseconds limit) {
  hurried_ = true;
  deadline_.arm(limit);
}

void Http1Session::wait_at_most(std::chrono::milliseconds limit) {
  hurried_ = false;
  deadline_.arm(limit);
}

void Http1Session::on_deadline() {
  counts_.slow_cut += hurried_ && stream_.is_open() ? 1 : 0;
  close();
}

Task<bool> Http1Session::read_more() {
  if (at_end_)
    co_return false;
  if (!reading_ && begin_ == 0 && end_ == buffer_.size())
    buffer_.resize(buffer_.size() * 2);
  readable_.clear();
  start_read();
  co_await readable_.wait();
  // With bytes that came before the end there is still something to parse.
  co_return !at_end_;
}

Task<bool> Http1Session::write(const void* buffers, std::size_t count) {
  const auto* first = static_cast<const asio::const_buffer*>(buffers);
  if (!stream_.is_open())
    co_return false;
  // Nearly always the kernel takes all of it, and nothing has to wait for the reactor.
  error_code failure;
  const BufferRange range{first, first + count};
  const std::size_t total = asio::buffer_size(range);
  std::size_t written = stream_.write_some(range.first, range.last, failure);
  if (failure == asio::error::would_block)
    failure.clear();
  if (!failure && written < total) {
    std::vector<asio::const_buffer> rest;
    for (const asio::const_buffer& buffer : range) {
      const std::size_t taken = std::min(written, buffer.size());
      written -= taken;
      if (taken < buffer.size())
        rest.push_back(buffer + taken);
    }
    hurry(options_.client_stall_timeout);
    co_await stream_.write(std::move(rest), failure);
    deadline_.disarm();
  }
  if (failure)
    at_end_ = true;
  co_return !failure;
}

Task<Http1Session::HeadRead> Http1Session::read_head() {
  parser_.begin();
  bool began = false, timed = false;
  for (;;) {
    if (!began)
      drop_empty_lines();
    if (!buffered().empty()) {
      began = true;
      std::size_t consumed = 0;
      const bool good = parser_.feed_head(buffered(), consumed);
      consume(consumed);
      if (!good)
        co_return HeadRead::malformed;
      if (parser_.head_done())
        co_return HeadRead::complete;
    } else if (draining_ && !began) {
      co_return HeadRead::closed;
    }
    // Once for the whole head: a client that sends it byte by byte gets no more time.
    if (!began) {
      wait_at_most(options_.keep_alive_timeout);
    } else if (!std::exchange(timed, true)) {
      hurry(options_.header_timeout);
    }
    if (!co_await read_more())
      co_return HeadRead::closed;
  }
}

Task<void> Http1Session::run() {
  const auto self = shared_from_this();
  for (;;) {
    const HeadRead read = co_await read_head();
    deadline_.disarm();
    if (read == HeadRead::closed)
      break;
    if (read == HeadRead::malformed) {
      const std::string text = last_response_text(aws_error(
          400, "ValidationException", "invlog: malformed HTTP request: " + parser_.error()));
      const asio::const_buffer bytes(text.data(), text.size());
      if (co_await write(&bytes, 1))
        co_await linger();
      break;
    }
    Exchange1 exchange(*this);
    in_exchange_ = true;
    waiting_since_ = std::chrono::steady_clock::now();
    co_await handler_(exchange);
    in_exchange_ = false;
    waiting_since_ = std::chrono::steady_clock::now();
    client_gone_ = nullptr;
    if (turn_) {
      deadline_.disarm();
      co_return;
    }
    if (exchange.must_close() || draining_ || !stream_.is_open()) {
      if (exchange.started() && !exchange.body_complete())
        co_await linger();
      break;
    }
  }
  close();
}

std::optional<Http1Session::TurnedOver> Http1Session::turned_over() {
  if (!turn_ || !stream_.is_open())
    return std::nullopt;
  AcceptedConnection connection{std::move(stream_), std::string(buffered()), std::move(caller_)};
  return TurnedOver{std::exchange(turn_, nullptr), std::move(connection)};
}

Task<void> Http1Session::linger() {
  if (!stream_.is_open())
    co_return;
  stream_.shutdown_send();
  wait_at_most(options_.linger_time);
  std::size_t discarded = 0;
  while (discarded < options_.linger_bytes && !at_end_) {
    if (!reading_)
      begin_ = end_ = 0;
    const std::size_t before = end_;
    if (!co_await read_more())
      break;
    discarded += end_ - std::min(before, end_);
  }
  deadline_.disarm();
}

void Http1Session::drain() {
  draining_ = true;
  // Between two requests nothing is lost by closing; the client sees an orderly end. A request that
  // has arrived, read or not, is served first.
  if (!in_exchange_ && buffered().empty() && !stream_.has_unread())
    close();
}

std::optional<SessionControl::Time> Http1Session::idle_since(Time now) const {
  if (!stream_.is_open())
    return std::nullopt;
  if (!in_exchange_)
    return waiting_since_;
  const bool slow = reading_body_ && now - waiting_since_ > options_.header_timeout;
  return slow ? std::optional(waiting_since_) : std::nullopt;
}

void Http1Session::close() {
  caller_.close();
  if (open_ended_)
    stream_.reset();
  stream_.close();
  at_end_ = true;
  stop_waiting();
}

}  // namespace invlog::capture

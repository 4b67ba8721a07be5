#include "agent/capture/http1_client.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cstring>

namespace invlog::capture {
namespace {

// Events of a stream fit in the small one; large bodies come in fewer pieces through the large one.
constexpr std::size_t kSmallBufferBytes = 4 * 1024;
constexpr std::size_t kLargeBufferBytes = 16 * 1024;

// Whether a response begins in `bytes` that is not informational, or what is no response at all.
bool final_begins(std::string_view bytes) {
  constexpr std::string_view kVersion = "HTTP/1.";
  constexpr std::size_t kStatus = 9;
  while (bytes.size() > kStatus) {
    if (!bytes.starts_with(kVersion) || bytes[kStatus] != '1')
      return true;
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos)
      return false;
    bytes.remove_prefix(end + 4);
  }
  return false;
}

}  // namespace

Http1Client::Http1Client(UpstreamConnection& connection, std::string_view head, bool keep_raw)
    : connection_(connection),
      request_head_(head),
      keeps_raw_(keep_raw),
      parser_(Http1Parser::Kind::response),
      buffer_(connection.read_buffer) {
  buffer_.resize(std::max(buffer_.size(), kSmallBufferBytes));
}

Task<void> Http1Client::begin(std::string_view body, bool end, error_code& failure) {
  co_await connection_.write(request_head_, body, failure);
  sent_ = end && !failure;
}

Task<void> Http1Client::send(std::string_view body, bool end, error_code& failure) {
  co_await connection_.write(body, {}, failure);
  sent_ = end && !failure;
}

void Http1Client::make_room() {
  if (begin_ == end_)
    begin_ = end_ = 0;
  if (end_ < buffer_.size())
    return;
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  } else {
    buffer_.resize(buffer_.size() * 2);
  }
}

bool Http1Client::answered() {
  while (end_ < Http1Parser::kMaxHeadBytes) {
    make_room();
    const std::size_t count = connection_.read_now(buffer_.data() + end_, buffer_.size() - end_);
    if (count == 0)
      break;
    end_ += count;
    last_read_filled_ = end_ == buffer_.size();
    received_ = true;
  }
  return final_begins({buffer_.data() + begin_, end_ - begin_});
}

Task<std::string> Http1Client::read_head(bool answers_head_request, ResponseHead& head) {
  for (;;) {
    parser_.begin(answers_head_request);
    head.raw.clear();
    for (;;) {
      if (begin_ != end_) {
        std::size_t consumed = 0;
        const bool good = parser_.feed_head({buffer_.data() + begin_, end_ - begin_}, consumed);
        if (keeps_raw_)
          head.raw.append(buffer_.data() + begin_, consumed);
        begin_ += consumed;
        if (!good)
          co_return "malformed response: " + parser_.error();
        if (parser_.head_done())
          break;
      }
      make_room();
      error_code failure;
      const std::size_t count =
          co_await connection_.read_some(buffer_.data() + end_, buffer_.size() - end_, failure);
      end_ += count;
      last_read_filled_ = end_ == buffer_.size();
      if (count > 0)
        received_ = true;
      if (failure) {
        co_return failure == asio::error::eof
            ? std::string("closed the connection without an answer")
            : failure.message();
      }
    }
    if (parser_.status >= 200)
      break;
    if (parser_.status == 101)
      co_return std::string("malformed response: unasked upgrade");
  }

  head.status = parser_.status;
  head.reason = std::move(parser_.reason);
  head.headers = std::move(parser_.headers);
  reusable_ = parser_.minor_version == 1 && !header_has_token(head.headers, "connection", "close");
  remove_hop_by_hop(head.headers);
  head.closes = !reusable_ || parser_.framing == Http1Parser::Framing::until_close;
  switch (parser_.framing) {
    case Http1Parser::Framing::none:
      head.body = has_header(head.headers, "content-length") && !answers_head_request &&
                          head.status != 204 && head.status != 304
                      ? ResponseHead::Body::length
                      : ResponseHead::Body::none;
      ended_ = true;
      break;
    case Http1Parser::Framing::length:
      head.body = ResponseHead::Body::length;
      remaining_ = parser_.content_length;
      ended_ = remaining_ == 0;
      break;
    case Http1Parser::Framing::until_close:
      reusable_ = false;
      [[fallthrough]];
    case Http1Parser::Framing::chunked:
      head.body = ResponseHead::Body::unknown;
      break;
  }
  co_return std::string();
}

Http1Client::Piece Http1Client::decode() {
  Piece piece;
  const std::string_view here(buffer_.data() + begin_, end_ - begin_);
  switch (parser_.framing) {
    case Http1Parser::Framing::none:
      break;
    case Http1Parser::Framing::length: {
      const std::size_t count =
          static_cast<std::size_t>(std::min<std::uint64_t>(here.size(), remaining_));
      piece.bytes = piece.raw = here.substr(0, count);
      begin_ += count;
      remaining_ -= count;
      ended_ = remaining_ == 0;
      break;
    }
    case Http1Parser::Framing::until_close:
      piece.bytes = piece.raw = here;
      begin_ = end_;
      break;
    case Http1Parser::Framing::chunked: {
      decoded_.clear();
      std::size_t consumed = 0;
      const bool good = parser_.feed_chunked(here, consumed, decoded_);
      begin_ += consumed;
      piece.bytes = decoded_;
      piece.raw = here.substr(0, consumed);
      if (!good) {
        piece.problem = "malformed response: " + parser_.error();
      } else if (end_ - begin_ >= kLargeBufferBytes) {
        piece.problem = "malformed response: oversized chunk header";
      }
      ended_ = parser_.done();
      break;
    }
  }
  // What follows a complete response belongs to no request.
  if (ended_ && begin_ != end_)
    reusable_ = false;
  piece.end = ended_ && piece.problem.empty();
  return piece;
}

Http1Client::Piece Http1Client::buffered() {
  if (begin_ == end_ || ended_) {
    if (ended_ && begin_ != end_)
      reusable_ = false;
    Piece piece;
    piece.end = ended_;
    return piece;
  }
  return decode();
}

Task<Http1Client::Piece> Http1Client::next() {
  if (begin_ == end_) {
    begin_ = end_ = 0;
  } else if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (last_read_filled_ || end_ == buffer_.size())
    buffer_.resize(std::max(buffer_.size(), kLargeBufferBytes));
  error_code failure;
  const std::size_t count =
      co_await connection_.read_some(buffer_.data() + end_, buffer_.size() - end_, failure);
  end_ += count;
  last_read_filled_ = end_ == buffer_.size();
  if (failure) {
    Piece piece;
    if (failure == asio::error::eof && parser_.framing == Http1Parser::Framing::until_close) {
      ended_ = piece.end = true;
    } else {
      piece.problem =
          failure == asio::error::eof ? "closed the connection in mid-response" : failure.message();
    }
    co_return piece;
  }
  co_return decode();
}

}  // namespace invlog::capture

#include "agent/capture/http2_stream.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "agent/capture/http2_fields.h"
#include "agent/capture/memory_budget.h"

namespace invlog::capture {

bool Http2Session::Stream::add_header(std::string_view name, std::string_view value) {
  const std::size_t bytes = name.size() + value.size() + 32;
  header_bytes_ += bytes;
  session_.header_bytes_ += bytes;
  if (header_bytes_ > kMaxHeaderBytes || session_.header_bytes_ > kMaxHeaderBytesOfAll)
    return false;
  if (name == ":method") {
    request_.method = value;
  } else if (name == ":path") {
    request_.target = value;
  } else if (name == ":authority") {
    request_.authority = value;
  } else if (name == "content-length") {
    std::uint64_t length = 0;
    for (char digit : value) {
      // nghttp2 has checked that these are digits and that they fit.
      if (digit >= '0' && digit <= '9')
        length = length * 10 + static_cast<unsigned>(digit - '0');
    }
    request_.content_length = length;
    request_.headers.emplace_back(name, value);
  } else if (!name.empty() && name.front() != ':') {
    request_.headers.emplace_back(name, value);
  }
  return true;
}

// A client may say its authority as a Host alone (RFC 9113 §8.3.1).
void Http2Session::Stream::end_header() {
  if (request_.authority.empty())
    request_.authority = find_header(request_.headers, "host");
}

void Http2Session::Stream::when_client_gone(std::function<void()> gone) {
  client_gone_ = std::move(gone);
  // The client may have reset the stream before its exchange began.
  if (closed_ && client_gone_)
    std::exchange(client_gone_, nullptr)();
}

void Http2Session::Stream::add_body(std::string_view bytes) {
  nghttp2_session_consume_connection(session_.session_, bytes.size());
  held_window_ += bytes.size();
  if (too_large_) {
    give_window_back();
    discarded_ += bytes.size();
    event_.set();
    if (lingers_ && discarded_ > session_.options_.linger_bytes)
      stop_lingering();
    return;
  }
  if (body_ == nullptr) {
    early_body_.append(bytes);
    if (MemoryBudget* budget = session_.options_.unread_bodies) {
      budget->take(bytes.size());
      early_told_ += bytes.size();
    }
    body_event_.set();
    return;
  }
  if (body_->size() + bytes.size() > limit_) {
    too_large_ = true;
    event_.set();
  } else {
    body_->append(bytes);
  }
  if (waits_for_room_)
    return;
  deadline_.arm(session_.options_.client_stall_timeout);
  if (too_large_ || has_room()) {
    give_window_back();
  } else {
    waits_for_room_ = true;
    event_.set();
  }
}

void Http2Session::Stream::forget_early_body() {
  if (early_told_ > 0)
    session_.options_.unread_bodies->give_back(std::exchange(early_told_, 0));
}

bool Http2Session::Stream::has_room() const {
  return room_ == nullptr || room_->grow_at_once(body_->size());
}

// Meanwhile it is the client who waits, and sends what it has a window for.
Task<void> Http2Session::Stream::wait_for_room() {
  deadline_.disarm();
  session_.reading_body(-1);
  co_await room_->grow_to(body_->size());
  session_.reading_body(+1);
  deadline_.arm(session_.options_.client_stall_timeout);
  waits_for_room_ = !has_room();
  if (!waits_for_room_)
    give_window_back();
}

void Http2Session::Stream::give_window_back() {
  if (held_window_ == 0 || session_.closed_)
    return;
  nghttp2_session_consume_stream(session_.session_, id_, std::exchange(held_window_, 0));
  session_.wake_writer();
}

void Http2Session::Stream::end_request() {
  request_ended_ = true;
  event_.set();
  body_event_.set();
}

void Http2Session::Stream::ask_for_body() {
  if (request_ended_ || closed_ || std::exchange(asked_for_body_, true))
    return;
  if (early_body_.empty() && header_has_token(request_.headers, "expect", "100-continue")) {
    static constexpr std::string_view kName = ":status", kValue = "100";
    const nghttp2_nv status{reinterpret_cast<std::uint8_t*>(const_cast<char*>(kName.data())),
                            reinterpret_cast<std::uint8_t*>(const_cast<char*>(kValue.data())),
                            kName.size(), kValue.size(),
                            NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
    nghttp2_submit_headers(session_.session_, NGHTTP2_FLAG_NONE, id_, nullptr, &status, 1, nullptr);
  }
  if (request_.content_length.value_or(kWideWindow) > kFirstWindow)
    widen_window();
  session_.wake_writer();
}

void Http2Session::Stream::widen_window() {
  if (session_.wide_windows_ == kWideWindows)
    return;
  ++session_.wide_windows_;
  wide_ = true;
  nghttp2_session_set_local_window_size(session_.session_, NGHTTP2_FLAG_NONE, id_, kWideWindow);
}

// What the client has been told stays true; but it has sent its body, or is about to be answered.
void Http2Session::Stream::narrow_window() {
  if (std::exchange(wide_, false))
    --session_.wide_windows_;
}

void Http2Session::Stream::leave_body() {
  too_large_ = true;
  std::string().swap(early_body_);
  forget_early_body();
  give_window_back();
}

bool Http2Session::Stream::has_rest() const {
  const bool waits_to_be_asked =
      !asked_for_body_ && header_has_token(request_.headers, "expect", "100-continue");
  return too_large_ && request_.content_length && !request_ended_ && !waits_to_be_asked;
}

Task<void> Http2Session::Stream::discard_rest() {
  leave_body();
  bool too_long = false;
  Watchdog::Deadline patience(session_.watchdog_, [this, &too_long] {
    too_long = true;
    event_.set();
  });
  patience.arm(session_.options_.linger_time);
  while (!request_ended_ && !closed_ && !too_long && discarded_ <= session_.options_.linger_bytes)
    co_await event_.wait();
}

void Http2Session::Stream::linger() {
  discarded_ = 0;
  narrow_window();
  leave_body();
  lingers_.emplace(session_.watchdog_, [this] { stop_lingering(); });
  lingers_->arm(session_.options_.linger_time);
  body_event_.set();
}

void Http2Session::Stream::stop_lingering() {
  if (closed_ || session_.closed_)
    return;
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_NO_ERROR);
  session_.wake_writer();
}

Task<BodyRead> Http2Session::Stream::read_body(std::string& body, std::size_t limit,
                                               BodyRoom* room) {
  if (request_.content_length && *request_.content_length > limit) {
    too_large_ = true;
    give_window_back();
    co_return BodyRead::too_large;
  }
  ask_for_body();
  body = std::move(early_body_);
  forget_early_body();
  limit_ = limit;
  body_ = &body;
  room_ = room;
  if (body.size() > limit)
    too_large_ = true;
  waits_for_room_ = !too_large_ && !has_room();
  if (!waits_for_room_)
    give_window_back();
  deadline_.arm(session_.options_.client_stall_timeout);
  session_.reading_body(+1);
  while ((!request_ended_ || waits_for_room_) && !too_large_ && !closed_) {
    if (waits_for_room_) {
      co_await wait_for_room();
    } else {
      co_await event_.wait();
    }
  }
  session_.reading_body(-1);
  deadline_.disarm();
  body_ = nullptr;
  room_ = nullptr;
  narrow_window();
  if (too_large_)
    co_return BodyRead::too_large;
  co_return request_ended_ ? BodyRead::complete : BodyRead::client_gone;
}

Task<PieceRead> Http2Session::Stream::read_some_body(std::string& piece) {
  ask_for_body();
  while (early_body_.empty() && !request_ended_ && !closed_ && !lingers_)
    co_await body_event_.wait();
  piece.append(early_body_);
  early_body_.clear();
  forget_early_body();
  give_window_back();
  // Something may be missing of a request that ended after its answer.
  if (lingers_)
    co_return PieceRead::client_gone;
  if (request_ended_)
    co_return PieceRead::last;
  co_return closed_ ? PieceRead::client_gone : PieceRead::more;
}

Task<bool> Http2Session::Stream::start_response(const ResponseHead& head, std::string_view body,
                                                bool end) {
  if (has_rest())
    co_await discard_rest();
  if (closed_)
    co_return false;
  Http2Fields fields(head.headers.size() + 1);
  fields.add(":status", std::to_string(head.status));
  fields.add(head.headers);
  const bool no_body = end && body.empty();
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
    return static_cast<Stream*>(source->ptr)->fill_frame(into, room, flags);
  };
  const nghttp2_nv* pairs = fields.data();
  if (nghttp2_submit_response(session_.session_, id_, pairs, fields.size(),
                              no_body ? nullptr : &provider) != 0) {
    send_problem_ = "the response cannot be sent in HTTP/2";
    abort();
    co_return false;
  }
  if (no_body) {
    session_.wake_writer();
    co_return true;
  }
  co_return co_await hand_over(body, end);
}

Task<bool> Http2Session::Stream::continue_response(std::string_view body, bool end,
                                                   const Headers& trailers) {
  if (closed_)
    co_return false;
  trailers_ = trailers;
  co_return co_await hand_over(body, end);
}

Task<bool> Http2Session::Stream::hand_over(std::string_view body, bool end) {
  response_ = body;
  response_end_ = end;
  if (deferred_) {
    deferred_ = false;
    nghttp2_session_resume_data(session_.session_, id_);
  }
  session_.wake_writer();
  deadline_.arm(session_.options_.client_stall_timeout);
  event_.clear();
  while (!closed_ && (!response_.empty() || (end && !end_framed_)))
    co_await event_.wait();
  deadline_.disarm();
  // A stream that closed after its last frame ended well.
  co_return response_.empty() && (!end || end_framed_) && (end || !closed_);
}

ssize_t Http2Session::Stream::fill_frame(std::uint8_t* into, std::size_t room,
                                         std::uint32_t* flags) {
  const std::size_t count = std::min(room, response_.size());
  if (count > 0)
    std::memcpy(into, response_.data(), count);
  response_.remove_prefix(count);
  if (response_.empty() && response_end_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    end_framed_ = true;
    if (!trailers_.empty()) {
      Http2Fields fields(trailers_.size());
      fields.add(trailers_);
      const nghttp2_nv* pairs = fields.data();
      if (nghttp2_submit_trailer(session_.session_, id_, pairs, fields.size()) == 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      }
    }
  } else if (count == 0) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  if (response_.empty())
    event_.set();
  return static_cast<ssize_t>(count);
}

void Http2Session::Stream::abort() {
  client_gone_ = nullptr;
  if (closed_ || session_.closed_)
    return;
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR);
  session_.wake_writer();
}

void Http2Session::Stream::cannot_send(std::string_view cause) {
  if (send_problem_.empty())
    send_problem_ = "the response's header cannot be sent in HTTP/2: " + std::string(cause);
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_INTERNAL_ERROR);
}

void Http2Session::Stream::stalled() {
  if (closed_)
    return;
  if (session_.closed_) {
    on_closed();
    return;
  }
  ++session_.counts_.slow_cut;
  nghttp2_submit_rst_stream(session_.session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  session_.wake_writer();
  if (client_gone_)
    std::exchange(client_gone_, nullptr)();
}

void Http2Session::Stream::on_closed() {
  if (std::exchange(closed_, true))
    return;
  session_.header_bytes_ -= header_bytes_;
  narrow_window();
  forget_early_body();
  if (!end_framed_ && client_gone_)
    std::exchange(client_gone_, nullptr)();
  event_.set();
  body_event_.set();
}

}  // namespace invlog::capture

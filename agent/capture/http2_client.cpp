#include "agent/capture/http2_client.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <new>
#include <utility>

#include "agent/capture/http2_fields.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kWriteBytes = 32 * 1024;
constexpr std::int32_t kWindow = 256 * 1024;
constexpr std::size_t kMaxHeaderBytes = 64 * 1024;

// nghttp2 has checked that it is a number that fits.
std::optional<std::uint64_t> length_in(const Headers& headers) {
  const std::string_view value = find_header(headers, "content-length");
  std::uint64_t length = 0;
  const auto [end, failure] = std::from_chars(value.data(), value.data() + value.size(), length);
  return failure == std::errc() ? std::optional(length) : std::nullopt;
}

}  // namespace

struct Http2Client::Session {
  Session();
  ~Session() { nghttp2_session_del(raw); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  nghttp2_session* raw = nullptr;
  Http2Client* client = nullptr;  // whose exchange is under way
  bool flushing = false;
  // The server takes no further request (GOAWAY); the one under way goes on to its end.
  bool told_to_go = false;
  bool broken = false;  // the connection failed, or what comes by it is not understood
};

// nghttp2's callbacks; user_data is the Session.
struct Http2Client::Callbacks {
  static Http2Client* client(void* user_data, std::int32_t stream) {
    Http2Client* client = static_cast<Session*>(user_data)->client;
    return client != nullptr && client->stream_ == stream ? client : nullptr;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                       std::uint8_t, void* user_data) {
    Http2Client* self = client(user_data, frame->hd.stream_id);
    if (self == nullptr || frame->hd.type != NGHTTP2_HEADERS)
      return 0;
    self->header_bytes_ += name_length + value_length + 32;
    if (self->header_bytes_ > kMaxHeaderBytes)
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    self->add_header({reinterpret_cast<const char*>(name), name_length},
                     {reinterpret_cast<const char*>(value), value_length});
    return 0;
  }

  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_GOAWAY)
      static_cast<Session*>(user_data)->told_to_go = true;
    Http2Client* self = client(user_data, frame->hd.stream_id);
    if (self == nullptr)
      return 0;
    const bool end = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    if (frame->hd.type == NGHTTP2_HEADERS) {
      self->end_headers(end);
    } else if (frame->hd.type == NGHTTP2_DATA && end) {
      self->ended_ = true;
    }
    return 0;
  }

  static int on_data(nghttp2_session* raw, std::uint8_t, std::int32_t stream,
                     const std::uint8_t* bytes, std::size_t count, void* user_data) {
    Http2Client* self = client(user_data, stream);
    if (self != nullptr) {
      self->received_body_.append(reinterpret_cast<const char*>(bytes), count);
      self->body_bytes_ += count;
    } else {
      nghttp2_session_consume(raw, stream, count);
    }
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t stream, std::uint32_t code,
                             void* user_data) {
    if (Http2Client* self = client(user_data, stream)) {
      self->closed_ = true;
      self->reset_code_ = code;
    }
    return 0;
  }
};

Http2Client::Session::Session() {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
    throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
  nghttp2_option_set_no_auto_window_update(option, 1);
  const int made = nghttp2_session_client_new2(&raw, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0)
    throw std::bad_alloc();
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, kWindow},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, kMaxHeaderBytes}}};
  nghttp2_submit_settings(raw, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(raw, NGHTTP2_FLAG_NONE, 0, kWindow);
}

Http2Client::Http2Client(UpstreamConnection& connection, const RequestHead& request,
                         std::string authority)
    : connection_(connection),
      request_(request),
      authority_(std::move(authority)),
      session_(std::static_pointer_cast<Session>(connection.http2_state)) {
  if (!session_) {
    session_ = std::make_shared<Session>();
    connection.http2_state = session_;
  }
  session_->client = this;
}

Http2Client::~Http2Client() {
  // The connection may carry the next exchange already.
  if (session_->client == this)
    session_->client = nullptr;
}

void Http2Client::submit(bool without_body) {
  Http2Fields fields(request_.headers.size() + 4);
  fields.add(":method", request_.method);
  fields.add(":scheme", "https");
  fields.add(":authority", authority_);
  fields.add(":path", request_.target);
  for (const auto& [name, value] : request_.headers) {
    const bool allowed = !is_hop_by_hop(name) || equal_ignoring_case(name, "te");
    if (allowed && !equal_ignoring_case(name, "host"))
      fields.add(name, value);
  }
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = [](nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                              std::uint32_t* flags, nghttp2_data_source* source, void*) -> ssize_t {
    return static_cast<Http2Client*>(source->ptr)->fill_frame(into, room, flags);
  };
  const nghttp2_nv* pairs = fields.data();
  stream_ = nghttp2_submit_request(session_->raw, nullptr, pairs, fields.size(),
                                   without_body ? nullptr : &provider, nullptr);
  end_framed_ = without_body;
}

ssize_t Http2Client::fill_frame(std::uint8_t* into, std::size_t room, std::uint32_t* flags) {
  const std::size_t count = std::min(room, outgoing_.size());
  if (count > 0)
    std::memcpy(into, outgoing_.data(), count);
  outgoing_.remove_prefix(count);
  if (outgoing_.empty() && outgoing_end_) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    end_framed_ = true;
  } else if (count == 0) {
    deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  return static_cast<ssize_t>(count);
}

Task<void> Http2Client::begin(std::string_view body, bool end, error_code& failure) {
  submit(end && body.empty());
  if (stream_ < 0) {
    session_->broken = true;
    failure = asio::error::operation_not_supported;
    co_return;
  }
  co_await send(body, end, failure);
}

Task<void> Http2Client::send(std::string_view body, bool end, error_code& failure) {
  outgoing_ = body;
  outgoing_end_ = end;
  if (std::exchange(deferred_, false))
    nghttp2_session_resume_data(session_->raw, stream_);
  for (;;) {
    co_await flush(failure);
    // A response that is complete needs no more of the request.
    if (failure || closed_ || ended_ || all_sent())
      break;
    // The server's windows are full.
    co_await read_once(failure);
  }
  outgoing_ = {};
}

Task<void> Http2Client::flush(error_code& failure) {
  if (session_->flushing)
    co_return;
  const std::shared_ptr<Session> session = session_;
  session->flushing = true;
  std::string out;
  while (!failure) {
    out.clear();
    const std::uint8_t* bytes = nullptr;
    ssize_t count = 0;
    while (out.size() < kWriteBytes && (count = nghttp2_session_mem_send(session->raw, &bytes)) > 0)
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    if (count < 0)
      session->broken = true;
    if (out.empty())
      break;
    co_await connection_.write(out, {}, failure);
  }
  session->flushing = false;
}

Task<void> Http2Client::read_once(error_code& failure) {
  if (reading_) {
    co_await flush(failure);  // windows that were given back: without them, nothing may come
    co_await progress_.wait();
    co_return;
  }
  reading_ = true;
  co_await flush(failure);
  std::string& buffer = connection_.read_buffer;
  buffer.resize(std::max(buffer.size(), kReadBytes));
  std::size_t count = 0;
  if (!failure)
    count = co_await connection_.read_some(buffer.data(), buffer.size(), failure);
  if (!failure) {
    const ssize_t taken = nghttp2_session_mem_recv(
        session_->raw, reinterpret_cast<const std::uint8_t*>(buffer.data()), count);
    if (taken < 0)
      failure = asio::error::invalid_argument;
  }
  if (!failure)
    co_await flush(failure);
  if (failure) {
    session_->broken = true;
    failure_ = failure;
    closed_ = true;
  }
  reading_ = false;
  progress_.set();
}

void Http2Client::add_header(std::string_view name, std::string_view value) {
  if (name == ":status") {
    status_ = 0;
    for (const char digit : value)
      status_ = status_ * 10 + (digit - '0');  // nghttp2 has checked them
  } else if (!name.empty() && name.front() != ':') {
    (head_done_ ? trailers_ : headers_).emplace_back(name, value);
  }
}

void Http2Client::end_headers(bool end_stream) {
  received_ = true;
  if (!head_done_ && status_ < 200) {
    headers_.clear();
    return;
  }
  if (!std::exchange(head_done_, true))
    announced_ = length_in(headers_);
  ended_ = ended_ || end_stream;
}

std::string Http2Client::problem() const {
  if (failure_ == asio::error::eof)
    return head_done_ ? "closed the connection in mid-response"
                      : "closed the connection without an answer";
  if (failure_ == asio::error::invalid_argument)
    return "malformed response: HTTP/2 protocol error";
  if (failure_)
    return failure_.message();
  return std::string("reset the stream: ") + nghttp2_http2_strerror(reset_code_);
}

Task<std::string> Http2Client::read_head(bool answers_head_request, ResponseHead& head) {
  while (!head_done_) {
    if (closed_)
      co_return problem();
    error_code failure;
    co_await read_once(failure);
  }
  while (lacks_only_end()) {
    error_code failure;
    co_await read_once(failure);
  }
  head.status = status_;
  head.reason = reason_phrase(status_);
  head.headers = headers_;
  head.raw.clear();
  remove_hop_by_hop(head.headers);
  if (answers_head_request || head.status == 204 || head.status == 304) {
    head.body = ResponseHead::Body::none;
  } else {
    head.body = has_header(head.headers, "content-length") ? ResponseHead::Body::length
                                                           : ResponseHead::Body::unknown;
  }
  co_return std::string();
}

Http2Client::Piece Http2Client::buffered() {
  handed_out_.clear();
  handed_out_.swap(received_body_);
  if (!handed_out_.empty() && !session_->broken)
    nghttp2_session_consume(session_->raw, stream_, handed_out_.size());
  Piece piece;
  piece.bytes = handed_out_;
  piece.end = ended_;
  if (!ended_ && closed_)
    piece.problem = problem();
  return piece;
}

Task<Http2Client::Piece> Http2Client::next() {
  error_code failure;
  if (!ended_ && !closed_ && received_body_.empty())
    co_await read_once(failure);
  while (lacks_only_end())
    co_await read_once(failure);
  co_return buffered();
}

bool Http2Client::lacks_only_end() const {
  return !ended_ && !closed_ && announced_ && body_bytes_ > 0 && remaining() == 0;
}

std::uint64_t Http2Client::remaining() const {
  return announced_.value_or(0) > body_bytes_ ? *announced_ - body_bytes_ : 0;
}

bool Http2Client::reusable() const {
  const bool usable = !session_->told_to_go && !session_->broken;
  return usable && ended_ && closed_ && all_sent() && end_framed_;
}

}  // namespace invlog::capture

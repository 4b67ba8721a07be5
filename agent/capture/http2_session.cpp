#include "agent/capture/http2_session.h"

#include <spdlog/spdlog.h>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <new>

#include "agent/capture/http1_parser.h"
#include "agent/capture/http2_stream.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
// Frames are gathered up to this before a write.
constexpr std::size_t kWriteBytes = 32 * 1024;
constexpr std::int32_t kConnectionWindow = 1024 * 1024;
// What nghttp2 counts for a field besides its text. The shortest field of an upstream's head in
// HTTP/1.1 ("a:" and the line's end) takes 4 bytes of its kMaxHeadBytes: whatever head the agent
// has taken can be sent, also in HTTP/2.
constexpr std::size_t kFieldOverhead = 12;
constexpr std::size_t kMaxSentHeader =
    Http1Parser::kMaxHeadBytes * (1 + kFieldOverhead / 4) + 4 * 1024;

}  // namespace

// nghttp2's callbacks; user_data is the session.
struct Http2Session::Callbacks {
  static Http2Session& session(void* user_data) { return *static_cast<Http2Session*>(user_data); }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      Http2Session& self = session(user_data);
      self.streams_[frame->hd.stream_id] = std::make_shared<Stream>(self, frame->hd.stream_id);
      self.begun_header_ = frame->hd.stream_id;
      self.watch_idle();
    }
    return 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                       std::uint8_t, void* user_data) {
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST)
      return 0;
    Stream* stream = session(user_data).find(frame->hd.stream_id);
    if (stream == nullptr)
      return 0;
    const bool taken = stream->add_header({reinterpret_cast<const char*>(name), name_length},
                                          {reinterpret_cast<const char*>(value), value_length});
    return taken ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Session& self = session(user_data);
    if (self.floods(*frame))
      nghttp2_session_terminate_session(self.session_, NGHTTP2_ENHANCE_YOUR_CALM);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
      return 0;
    const auto found = self.streams_.find(frame->hd.stream_id);
    if (found == self.streams_.end())
      return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
      self.begun_header_ = 0;
      if (found->second->request().target.empty()) {
        // CONNECT (RFC 9113 §8.5): there is nothing to tunnel to.
        nghttp2_submit_rst_stream(self.session_, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
                                  NGHTTP2_PROTOCOL_ERROR);
        return 0;
      }
      found->second->end_header();
      self.begun_.push_back(found->second);
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
      found->second->end_request();
    return 0;
  }

  static int on_data(nghttp2_session* raw, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                     std::size_t count, void* user_data) {
    Stream* stream = session(user_data).find(id);
    if (stream != nullptr) {
      stream->add_body({reinterpret_cast<const char*>(bytes), count});
    } else {
      nghttp2_session_consume_connection(raw, count);
    }
    return 0;
  }

  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    if ((frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
        (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      Stream* stream = session(user_data).find(frame->hd.stream_id);
      if (stream != nullptr && !stream->request_ended())
        stream->linger();
    }
    return 0;
  }

  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int cause,
                               void* user_data) {
    // One that is closing anyway knows why.
    if (frame->hd.type != NGHTTP2_HEADERS || cause == NGHTTP2_ERR_STREAM_CLOSING)
      return 0;
    if (Stream* stream = session(user_data).find(frame->hd.stream_id))
      stream->cannot_send(nghttp2_strerror(cause));
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    Http2Session& self = session(user_data);
    const auto found = self.streams_.find(id);
    if (found == self.streams_.end())
      return 0;
    const std::shared_ptr<Stream> stream = std::move(found->second);
    self.streams_.erase(found);
    if (self.begun_header_ == id) {
      self.begun_header_ = 0;
      self.watch_idle();
    }
    stream->on_closed();
    return 0;
  }
};

Http2Session::Http2Session(AcceptedConnection connection, const ExchangeHandler& handler,
                           const SessionOptions& options, Watchdog& watchdog, ClientCounts& counts)
    : stream_(std::move(connection.stream)),
      caller_(std::move(connection.caller)),
      interception_(std::move(connection.interception)),
      handler_(handler),
      options_(options),
      watchdog_(watchdog),
      counts_(counts),
      deadline_(watchdog, [this] { on_deadline(); }),
      first_bytes_(std::move(connection.first_bytes)),
      allowed_at_(watchdog.now()) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0) {
    throw std::bad_alloc();
  }
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_recv);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, Callbacks::on_frame_send);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(callbacks, Callbacks::on_frame_not_send);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_stream_close);
  nghttp2_option_set_no_auto_window_update(option, 1);
  nghttp2_option_set_max_send_header_block_length(option, kMaxSentHeader);
  const int made = nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0)
    throw std::bad_alloc();
  const std::array<nghttp2_settings_entry, 3> settings{
      {{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
        static_cast<std::uint32_t>(options_.max_concurrent_streams)},
       {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(Stream::kFirstWindow)},
       {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
        static_cast<std::uint32_t>(Stream::kMaxHeaderBytes)}}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, kConnectionWindow);
}

Http2Session::~Http2Session() {
  nghttp2_session_del(session_);
}

Http2Session::Stream* Http2Session::find(std::int32_t id) {
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second.get();
}

void Http2Session::watch_idle() {
  if (sending_)
    return;  // the write's own deadline holds
  if (serving_ > 0) {
    deadline_.disarm();
  } else {
    deadline_.arm(begun_header_ != 0 ? options_.header_timeout : options_.keep_alive_timeout);
  }
}

void Http2Session::on_deadline() {
  counts_.slow_cut += !closed_ && (sending_ || begun_header_ != 0) ? 1 : 0;
  close();
}

void Http2Session::reading_body(int change) {
  reading_bodies_ += change;
  waiting_since_ = std::chrono::steady_clock::now();
}

bool Http2Session::floods(const nghttp2_frame& frame) {
  const bool answered_data = frame.hd.length > 0 || (frame.hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
  const bool idle = frame.hd.type == NGHTTP2_PING || frame.hd.type == NGHTTP2_SETTINGS ||
                    frame.hd.type == NGHTTP2_RST_STREAM || frame.hd.type == NGHTTP2_PRIORITY ||
                    (frame.hd.type == NGHTTP2_DATA && !answered_data);
  if (!idle || --allowance_ > 0)
    return false;
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(watchdog_.now() - allowed_at_).count();
  allowed_at_ = watchdog_.now();
  allowance_ =
      static_cast<int>(std::min<std::int64_t>(seconds, kMostIdleFrames / kIdleFramesPerSecond) *
                       kIdleFramesPerSecond);
  return allowance_ <= 0;
}

std::optional<SessionControl::Time> Http2Session::idle_since(Time now) const {
  if (closed_)
    return std::nullopt;
  if (serving_ == 0)
    return waiting_since_;
  const bool slow = static_cast<std::size_t>(reading_bodies_) == serving_ &&
                    now - waiting_since_ > options_.header_timeout;
  return slow ? std::optional(waiting_since_) : std::nullopt;
}

bool Http2Session::receive(const char* bytes, std::size_t count) {
  // It may have closed before these bytes came to their turn. A stream that began now would never
  // be told of the end.
  if (closed_)
    return false;
  const ssize_t used =
      nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes), count);
  for (std::shared_ptr<Stream>& stream : std::exchange(begun_, {})) {
    ++serving_;
    waiting_since_ = std::chrono::steady_clock::now();
    watch_idle();
    asio::co_spawn(stream_.get_executor(), serve(shared_from_this(), std::move(stream)),
                   asio::detached);
  }
  if (serving_ > 2 * options_.max_concurrent_streams)
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
  wake_writer();
  return used >= 0;
}

Task<void> Http2Session::serve(std::shared_ptr<Http2Session> session,
                               std::shared_ptr<Stream> stream) {
  try {
    co_await session->handler_(*stream);
  } catch (const std::exception& failure) {
    // Only lack of memory; it ends the call, not the agent.
    spdlog::error("call ended: {}", failure.what());
    stream->abort();
  }
  --session->serving_;
  session->waiting_since_ = std::chrono::steady_clock::now();
  session->watch_idle();
  session->ended_.set();
}

Task<void> Http2Session::write_loop() {
  std::string out;
  for (;;) {
    out.clear();
    while (!closed_ && out.size() < kWriteBytes) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
      if (count < 0)
        close();
      if (count <= 0)
        break;
      out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
    }
    if (closed_)
      break;
    if (out.empty()) {
      if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
        break;
      }
      if (out.capacity() > 2 * kWriteBytes)
        out.shrink_to_fit();
      co_await writable_.wait();
      continue;
    }
    // Nearly always the kernel takes all of it, and nothing has to wait for the reactor.
    error_code failure;
    const asio::const_buffer all(out.data(), out.size());
    const std::size_t written = stream_.write_some(&all, &all + 1, failure);
    if (failure == asio::error::would_block)
      failure.clear();
    if (!failure && written < out.size()) {
      deadline_.arm(options_.client_stall_timeout);
      sending_ = true;
      ClientStream::Buffers rest(1, all + written);
      co_await stream_.write(std::move(rest), failure);
      sending_ = false;
      watch_idle();
    }
    if (failure)
      break;
  }
  close();
  writing_ = false;
  ended_.set();
}

Task<void> Http2Session::run() {
  const auto self = shared_from_this();
  watch_idle();
  writing_ = true;
  asio::co_spawn(
      stream_.get_executor(),
      [](std::shared_ptr<Http2Session> session) -> Task<void> {
        co_await session->write_loop();
      }(self),
      asio::detached);
  // The first write has been tried by now; a client that has left already has no call.
  bool good = receive(first_bytes_.data(), first_bytes_.size());
  std::string().swap(first_bytes_);
  std::string buffer(kReadBytes, '\0');
  while (good && !closed_) {
    error_code failure;
    const std::size_t count = co_await stream_.async_read_some(
        asio::buffer(buffer), asio::redirect_error(use_task, failure));
    if (failure)
      break;
    good = receive(buffer.data(), count);
  }
  close();
  while (serving_ > 0 || writing_)
    co_await ended_.wait();
}

void Http2Session::drain() {
  if (closed_ || std::exchange(draining_, true))
    return;
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
  wake_writer();
}

void Http2Session::close() {
  if (std::exchange(closed_, true))
    return;
  caller_.close();
  stream_.close();
  for (auto& [id, stream] : std::exchange(streams_, {}))
    stream->on_closed();
  wake_writer();
}

}  // namespace invlog::capture

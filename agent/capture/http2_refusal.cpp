#include "agent/capture/http2_refusal.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "agent/capture/http2_fields.h"

namespace invlog::capture {
namespace {

constexpr std::uint32_t kRefusedStreams = 100;  // at a time

}  // namespace

// nghttp2's callbacks; user_data is the refusal.
struct Http2Refusal::Callbacks {
  static int on_frame_recv(nghttp2_session* session, const nghttp2_frame* frame, void* user_data) {
    auto& self = *static_cast<Http2Refusal*>(user_data);
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST ||
        self.said_goodbye_) {
      return 0;
    }
    Http2Fields fields(self.answer_.head.headers.size() + 1);
    fields.add(":status", std::to_string(self.answer_.head.status));
    fields.add(self.answer_.head.headers);
    nghttp2_data_provider provider{};
    provider.read_callback = read_body;
    const nghttp2_nv* pairs = fields.data();
    if (nghttp2_submit_response(session, frame->hd.stream_id, pairs, fields.size(), &provider) == 0)
      self.last_answered_ = std::max(self.last_answered_, frame->hd.stream_id);
    return 0;
  }

  static ssize_t read_body(nghttp2_session*, std::int32_t, std::uint8_t* into, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source*, void* user_data) {
    const std::string& body = static_cast<Http2Refusal*>(user_data)->answer_.body;
    // A client whose window has no room for one line does without it.
    if (body.size() > room)
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    std::memcpy(into, body.data(), body.size());
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(body.size());
  }
};

Http2Refusal::Http2Refusal(const LocalResponse& answer) : answer_(answer) {
  nghttp2_session_callbacks* callbacks = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0)
    throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame_recv);
  const int made = nghttp2_session_server_new(&session_, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0)
    throw std::bad_alloc();
  const nghttp2_settings_entry settings{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, kRefusedStreams};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, &settings, 1);
}

Http2Refusal::~Http2Refusal() {
  nghttp2_session_del(session_);
}

void Http2Refusal::append_frames(std::string& out) {
  const std::uint8_t* bytes = nullptr;
  ssize_t count = 0;
  while ((count = nghttp2_session_mem_send(session_, &bytes)) > 0)
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  broken_ = broken_ || count < 0;
}

std::string Http2Refusal::answer_to(std::string_view received) {
  std::string out;
  if (nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(received.data()),
                               received.size()) < 0) {
    broken_ = true;
  }
  append_frames(out);
  if (answered() && !std::exchange(said_goodbye_, true)) {
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, last_answered_, NGHTTP2_NO_ERROR, nullptr,
                          0);
    append_frames(out);
  }
  return out;
}

bool Http2Refusal::over() const {
  return broken_ ||
         (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0);
}

}  // namespace invlog::capture

#include "tests/integration/http2_client.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace invlog::test {
namespace {

nghttp2_nv field(const std::pair<std::string, std::string>& header) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(header.first.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(header.second.data())),
          header.first.size(), header.second.size(), NGHTTP2_NV_FLAG_NONE};
}

std::vector<nghttp2_nv> fields(const HeaderList& headers) {
  std::vector<nghttp2_nv> list;
  for (const auto& header : headers)
    list.push_back(field(header));
  return list;
}

}  // namespace

struct Http2Client::Callbacks {
  static Http2Client& client(void* user_data) { return *static_cast<Http2Client*>(user_data); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_length, const std::uint8_t* value, std::size_t value_length,
                       std::uint8_t, void* user_data) {
    Stream& stream = client(user_data).streams_[frame->hd.stream_id];
    std::string key(reinterpret_cast<const char*>(name), name_length);
    std::string text(reinterpret_cast<const char*>(value), value_length);
    if (key == ":status") {
      stream.continued = stream.continued || text == "100";
      stream.status = std::stoi(text);
    } else if (!stream.headers.empty() && frame->headers.cat == NGHTTP2_HCAT_HEADERS &&
               stream.status >= 200 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      stream.trailers.emplace_back(std::move(key), std::move(text));
    } else {
      stream.headers.emplace_back(std::move(key), std::move(text));
    }
    return 0;
  }

  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                     std::size_t count, void* user_data) {
    client(user_data).streams_[id].body.append(reinterpret_cast<const char*>(bytes), count);
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user_data) {
    Http2Client& self = client(user_data);
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
      case NGHTTP2_DATA:
        if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)
          self.streams_[frame->hd.stream_id].ended = true;
        break;
      case NGHTTP2_RST_STREAM:
        self.streams_[frame->hd.stream_id].reset_code = frame->rst_stream.error_code;
        break;
      case NGHTTP2_GOAWAY:
        self.goaway_ = frame->goaway.error_code;
        self.goaway_last_ = frame->goaway.last_stream_id;
        break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0)
          ++self.pongs_;
        break;
      default:
        break;
    }
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user_data) {
    client(user_data).streams_[id].closed = true;
    return 0;
  }

  static ssize_t read_body(nghttp2_session* session, std::int32_t id, std::uint8_t* into,
                           std::size_t room, std::uint32_t* flags, nghttp2_data_source*,
                           void* user_data) {
    Outgoing& out = client(user_data).outgoing_[id];
    const std::size_t count = std::min(room, out.bytes.size() - out.sent);
    std::memcpy(into, out.bytes.data() + out.sent, count);
    out.sent += count;
    if (out.sent == out.bytes.size() && out.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!out.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const auto list = fields(out.trailers);
        nghttp2_submit_trailer(session, id, list.data(), list.size());
      }
    } else if (count == 0) {
      return NGHTTP2_ERR_DEFERRED;
    }
    return static_cast<ssize_t>(count);
  }
};

std::optional<std::string> Http2Client::Stream::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name)
      return value;
  }
  return std::nullopt;
}

Http2Client::Http2Client(std::uint16_t port, Windows windows, std::uint32_t stream_window)
    : socket_(LoopbackSocket::connect(port)) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_option* option = nullptr;
  if (nghttp2_session_callbacks_new(&callbacks) != 0 || nghttp2_option_new(&option) != 0)
    throw std::bad_alloc();
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::on_header);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::on_data);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::on_frame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::on_close);
  nghttp2_option_set_no_auto_window_update(option, windows == Windows::by_hand ? 1 : 0);
  const int made = nghttp2_session_client_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  if (made != 0)
    throw std::bad_alloc();
  const nghttp2_settings_entry settings[] = {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, 1);
}

Http2Client::~Http2Client() {
  nghttp2_session_del(session_);
}

std::int32_t Http2Client::request(std::string_view method, std::string_view path,
                                  std::string_view body, const HeaderList& headers, bool end) {
  HeaderList all{
      {":method", std::string(method)}, {":scheme", "http"}, {":path", std::string(path)}};
  if (!authority.empty())
    all.emplace_back(":authority", authority);
  all.insert(all.end(), headers.begin(), headers.end());
  const auto list = fields(all);
  nghttp2_data_provider provider{};
  provider.read_callback = Callbacks::read_body;
  const bool no_body = body.empty() && end;
  const std::int32_t id = nghttp2_submit_request(session_, nullptr, list.data(), list.size(),
                                                 no_body ? nullptr : &provider, nullptr);
  if (id < 0)
    throw std::runtime_error(nghttp2_strerror(id));
  outgoing_[id] = {std::string(body), 0, end, {}};
  flush();
  return id;
}

std::int32_t Http2Client::post(std::string_view path, std::string_view body,
                               const HeaderList& headers, bool end) {
  HeaderList all{{"content-type", "application/json"}};
  if (end)
    all.emplace_back("content-length", std::to_string(body.size()));
  all.insert(all.end(), headers.begin(), headers.end());
  return request("POST", path, body, all, end);
}

void Http2Client::send_body(std::int32_t id, std::string_view bytes, bool end,
                            HeaderList trailers) {
  Outgoing& out = outgoing_[id];
  out.bytes.append(bytes);
  out.end = end;
  out.trailers = std::move(trailers);
  nghttp2_session_resume_data(session_, id);
  flush();
}

void Http2Client::reset(std::int32_t id, std::uint32_t code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, code);
  flush();
}

void Http2Client::open_window(std::int32_t id, std::int32_t bytes) {
  nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, id, bytes);
  nghttp2_submit_window_update(session_, NGHTTP2_FLAG_NONE, 0, bytes);
  flush();
}

void Http2Client::ping() {
  nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
  flush();
}

std::size_t Http2Client::body_sent(std::int32_t id) {
  return outgoing_[id].sent;
}

void Http2Client::flush() {
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t count = nghttp2_session_mem_send(session_, &bytes);
    if (count <= 0)
      return;
    if (!socket_.send({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)}))
      return;  // the end shows when it is read
  }
}

bool Http2Client::run_until(const std::function<bool()>& done) {
  for (;;) {
    flush();
    if (done())
      return true;
    if (ended_)
      return false;
    const std::string bytes = socket_.read_some();
    if (bytes.empty() ||
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                 bytes.size()) < 0) {
      ended_ = true;
    }
  }
}

const Http2Client::Stream& Http2Client::wait_for(std::int32_t id) {
  run_until([&] { return streams_[id].closed; });
  return streams_[id];
}

bool Http2Client::wait_for_body(std::int32_t id, std::size_t bytes) {
  return run_until([&] { return streams_[id].body.size() >= bytes; });
}

bool Http2Client::round_trip() {
  const int before = pongs_;
  ping();
  return run_until([&] { return pongs_ > before; });
}

bool Http2Client::wait_for_connection_end() {
  run_until([] { return false; });
  return socket_.sees_end();
}

std::string http2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                        std::string_view payload) {
  std::string frame;
  for (const int shift : {16, 8, 0})
    frame += static_cast<char>(payload.size() >> shift & 0xff);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0})
    frame += static_cast<char>(stream >> shift & 0xff);
  return frame.append(payload);
}

std::string hpack(const HeaderList& headers) {
  std::string block;
  const auto add_text = [&](const std::string& text) {
    // An integer with a prefix of 7 bits (RFC 7541 §5.1).
    if (text.size() < 127) {
      block += static_cast<char>(text.size());
    } else {
      block += static_cast<char>(127);
      std::size_t rest = text.size() - 127;
      for (; rest >= 128; rest /= 128)
        block += static_cast<char>(rest % 128 + 128);
      block += static_cast<char>(rest);
    }
    block += text;
  };
  for (const auto& [name, value] : headers) {
    block += '\0';
    add_text(name);
    add_text(value);
  }
  return block;
}

std::string http2_opening() {
  return "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(NGHTTP2_SETTINGS, 0, 0, "");
}

HeaderList http2_post_headers(std::string_view path) {
  return {{":method", "POST"},
          {":scheme", "http"},
          {":authority", "127.0.0.1:4180"},
          {":path", std::string(path)},
          {"content-type", "application/json"}};
}

}  // namespace invlog::test

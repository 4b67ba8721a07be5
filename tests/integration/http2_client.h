// A blocking HTTP/2 client over clear text with prior knowledge, for tests: many streams at a time,
// windows that open only when the test says so, and frames as raw bytes for what nghttp2 would not
// send.
//
// Thread: the test's. Nothing is sent or read outside a call. Errors: what does not come within
// LoopbackSocket's limit shows as a stream that is not closed.
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/integration/loopback_socket.h"

namespace invlog::test {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

class Http2Client {
 public:
  struct Stream {
    int status = 0;          // of the final response
    bool continued = false;  // a 100 came before it
    HeaderList headers;
    std::string body;
    HeaderList trailers;
    bool ended = false;                       // END_STREAM came
    std::optional<std::uint32_t> reset_code;  // RST_STREAM came
    bool closed = false;
    std::optional<std::string> header(std::string_view name) const;
  };
  enum class Windows { automatic, by_hand };

  // `stream_window`: how much of each response may come unasked, in bytes.
  explicit Http2Client(std::uint16_t port, Windows windows = Windows::automatic,
                       std::uint32_t stream_window = 65535);
  ~Http2Client();
  Http2Client(const Http2Client&) = delete;
  Http2Client& operator=(const Http2Client&) = delete;

  std::string authority = "127.0.0.1:4180";  // that requests are for; "" does not say it
  // Sends a request; `end` false: more of the body comes with send_body().
  std::int32_t request(std::string_view method, std::string_view path, std::string_view body,
                       const HeaderList& headers = {}, bool end = true);
  // A JSON POST.
  std::int32_t post(std::string_view path, std::string_view body, const HeaderList& headers = {},
                    bool end = true);
  void send_body(std::int32_t id, std::string_view bytes, bool end, HeaderList trailers = {});
  void reset(std::int32_t id, std::uint32_t code = NGHTTP2_CANCEL);
  // Lets the stream (and the connection) receive `bytes` more; Windows::by_hand only.
  void open_window(std::int32_t id, std::int32_t bytes);
  void ping();

  // Body bytes of this stream that were handed to the socket, as far as the agent's windows let
  // them.
  std::size_t body_sent(std::int32_t id);
  const Stream& stream(std::int32_t id) { return streams_[id]; }
  // Sends what is due and reads until `done`, the connection's end or the limit; whether `done`.
  bool run_until(const std::function<bool()>& done);
  const Stream& wait_for(std::int32_t id);  // until it is closed
  bool wait_for_body(std::int32_t id, std::size_t bytes);
  // Until everything that was sent has been processed by the agent: its answer to a PING.
  bool round_trip();
  bool wait_for_connection_end();
  void flush();

  bool connected() const { return !ended_; }
  std::optional<std::uint32_t> goaway() const { return goaway_; }
  // The last stream that the agent's GOAWAY says it will answer.
  std::int32_t goaway_last_stream() const { return goaway_last_; }
  LoopbackSocket& socket() { return socket_; }

 private:
  struct Outgoing {
    std::string bytes;
    std::size_t sent = 0;
    bool end = false;
    HeaderList trailers;
  };
  struct Callbacks;
  friend struct Callbacks;

  LoopbackSocket socket_;
  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, Stream> streams_;
  std::map<std::int32_t, Outgoing> outgoing_;
  std::optional<std::uint32_t> goaway_;
  std::int32_t goaway_last_ = 0;
  int pongs_ = 0;
  bool ended_ = false;
};

// One frame's bytes (RFC 9113 §4.1).
std::string http2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                        std::string_view payload);
// Header fields as HPACK literals without indexing (RFC 7541 §6.2.2); names and values under 16 KB.
std::string hpack(const HeaderList& headers);
// The preface and an empty SETTINGS.
std::string http2_opening();
// The header fields of a JSON POST of `path`.
HeaderList http2_post_headers(std::string_view path);

}  // namespace invlog::test

// One HTTP/2 stream as an Exchange. Part of Http2Session, which feeds it from nghttp2's callbacks;
// only the two .cpp files of the session include this.
#pragma once

#include "agent/capture/http2_session.h"

namespace invlog::capture {

class Http2Session::Stream : public Exchange {
 public:
  static constexpr std::size_t kMaxHeaderBytes = 64 * 1024;
  static constexpr std::size_t kMaxHeaderBytesOfAll = 512 * 1024;  // that are open on a connection
  // What a stream may send before it is read, and as fast as it is read. A body of usual size has
  // room in the wide window, so that it stops once at most.
  static constexpr std::int32_t kFirstWindow = 16 * 1024;
  static constexpr std::int32_t kWideWindow = 128 * 1024;
  static constexpr int kWideWindows = 8;  // at a time, on a connection

  Stream(Http2Session& session, std::int32_t id)
      : session_(session), id_(id), deadline_(session.watchdog_, [this] { stalled(); }) {
    request_.http2 = true;
  }

  RequestHead& request() override { return request_; }
  const bedrock::Caller& caller() override { return session_.caller_.caller(); }
  void when_client_gone(std::function<void()> gone) override;
  const Peer& peer() override { return session_.caller_.peer(); }
  Interception* interception() override { return session_.interception_.get(); }
  void leave_body() override;
  bool streams_both_ways() const override { return true; }
  Task<PieceRead> read_some_body(std::string& piece) override;
  Task<BodyRead> read_body(std::string& body, std::size_t limit, BodyRoom* room) override;
  Task<bool> start_response(const ResponseHead& head, std::string_view body, bool end) override;
  Task<bool> continue_response(std::string_view body, bool end, const Headers& trailers) override;
  std::string send_problem() const override { return send_problem_; }
  void abort() override;

  // From the session's callbacks.
  bool add_header(std::string_view name, std::string_view value);  // false: refuse the stream
  void end_header();
  void add_body(std::string_view bytes);
  void end_request();
  bool request_ended() const { return request_ended_; }
  // The response has been sent, the request has not ended: nobody reads the rest any more.
  void linger();
  void cannot_send(std::string_view cause);  // nghttp2 gave a header of the response up
  void on_closed();                          // by the client, by us, or by the connection's end
  // Fills one DATA frame: nghttp2_data_source_read_callback's contract.
  ssize_t fill_frame(std::uint8_t* into, std::size_t room, std::uint32_t* flags);

 private:
  Task<bool> hand_over(std::string_view body, bool end);
  void ask_for_body();
  void widen_window();
  void narrow_window();
  // Of what came early, nothing is to be told any more.
  void forget_early_body();
  bool has_room() const;  // the body that is read, as it is now
  Task<void> wait_for_room();
  void give_window_back();
  // Whether the client is about to send more of a body of known length, which nobody reads.
  bool has_rest() const;
  // Node takes no response while it has more than 10 MiB of a body to send (ENHANCE_YOUR_CALM), so
  // that the rest of one is taken before the answer, within linger_time and linger_bytes.
  Task<void> discard_rest();
  void stop_lingering();
  void stalled();

  Http2Session& session_;
  const std::int32_t id_;
  Watchdog::Deadline deadline_;
  RequestHead request_;
  std::size_t header_bytes_ = 0;
  std::function<void()> client_gone_;
  Event event_;       // body bytes, room for response bytes, or the stream's end
  Event body_event_;  // for read_some_body(), which may wait while a response is written

  std::string* body_ = nullptr;  // where read_body() wants it
  std::string early_body_;       // what came before it was called; at most a window
  std::size_t early_told_ = 0;   // of that, to SessionOptions::unread_bodies
  std::size_t limit_ = 0;
  std::size_t held_window_ = 0;  // received bytes that the stream's window lacks yet
  bool request_ended_ = false, too_large_ = false;
  bool asked_for_body_ = false;
  bool wide_ = false;            // the stream's window
  BodyRoom* room_ = nullptr;     // of the body that read_body() reads, if it is bounded
  bool waits_for_room_ = false;  // and the stream's window with it

  std::optional<Watchdog::Deadline> lingers_;  // until it is reset
  std::size_t discarded_ = 0;                  // meanwhile, or before the answer

  std::string_view response_;  // what the client's windows had no room for yet
  Headers trailers_;
  std::string send_problem_;
  bool response_end_ = false;  // `response_` is the last
  bool deferred_ = false;      // nghttp2 waits for nghttp2_session_resume_data
  bool end_framed_ = false;    // the last DATA frame was filled
  bool closed_ = false;
};

}  // namespace invlog::capture

// The bench's load: N keep-alive connections to one server, a call on each as soon as the one
// before is answered (or at a given rate), every answer checked, every time kept.
//
// Thread: the caller's, with an epoll loop inside run(). Ownership: the sockets. Errors: run()
// throws std::runtime_error when the server cannot be reached or nothing moves for `stall_seconds`;
// a call that fails is counted, and the first such failure is kept in words.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/channel.h"
#include "tests/bench/event_frames.h"
#include "tests/bench/http_reader.h"
#include "tests/bench/request_source.h"

namespace invlog::bench {

struct LoadOptions {
  std::string host = "127.0.0.1";  // an IPv4 address
  std::uint16_t port = 0;
  std::string tls_host;      // what the server's certificate is for; "": no TLS
  std::string ca_file;       // PEM, for its certificate
  std::string proxy_target;  // "HOST:PORT" to ask for by CONNECT first; "": the server is none
  std::uint32_t connections = 1;
  std::uint64_t calls = 1000;         // measured
  std::uint64_t warm_up = 0;          // made before, not measured
  double calls_per_second = 0;        // 0: closed loop
  std::size_t response_bytes = 1024;  // text in an answer
  bool stream = false;                // converse-stream instead of converse
  std::uint64_t frames = 20;          // text deltas in a stream
  std::uint64_t frame_delay_us = 0;   // between them
  RequestOptions request;             // host and target are filled in by the client
  int stall_seconds = 30;
};

struct LoadResult {
  double seconds = 0;           // from the first measured call's start to the last one's end
  std::uint64_t completed = 0;  // warm-up included
  std::uint64_t errors = 0;
  std::uint64_t connects = 0;
  std::string first_error;            // "" if none
  std::vector<std::int64_t> call_ns;  // whole calls; at a rate: from when the call was due
  std::vector<std::int64_t>
      first_byte_ns;  // streams: from the call's start to the body's first byte
  std::vector<std::int64_t>
      frame_lag_us;  // streams: from the upstream's write to the client's read of each delta
};

class LoadClient {
 public:
  explicit LoadClient(LoadOptions options);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  LoadResult run();

 private:
  struct Slot;

  void connect(Slot& slot);
  void start_call(Slot& slot, std::int64_t due_ns);
  void send_some(Slot& slot);
  void read_some(Slot& slot);
  void body_part(Slot& slot, std::string_view part);
  void call_answered(Slot& slot);
  void call_failed(Slot& slot, const std::string& why);
  void slot_free(Slot& slot);
  void calls_due();
  void watch(Slot& slot, bool write);

  LoadOptions options_;
  Tls tls_;
  TextPool pool_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<Slot*> idle_;
  std::deque<std::int64_t> waiting_;  // when calls were due that found no idle connection
  std::vector<char> buffer_;
  int epoll_ = -1, timer_ = -1;
  std::uint64_t started_ = 0;
  std::int64_t first_start_ns_ = 0;
  LoadResult result_;
};

}  // namespace invlog::bench

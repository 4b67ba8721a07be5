// A blocking TCP or Unix socket for tests: send bytes, read until something arrives, with a limit
// so that a test that waits for what never comes fails instead of hanging.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace invlog::test {

class LoopbackSocket {
 public:
  LoopbackSocket() = default;
  explicit LoopbackSocket(int descriptor) : descriptor_(descriptor) {}
  static LoopbackSocket connect(std::uint16_t port);
  static LoopbackSocket connect_unix(const std::string& path);
  ~LoopbackSocket() { close(); }
  LoopbackSocket(LoopbackSocket&& other) noexcept;
  LoopbackSocket& operator=(LoopbackSocket&& other) noexcept;

  bool send(std::string_view bytes);
  // What has arrived; waits for at least one byte. Empty at the end, or after `limit`.
  std::string read_some(std::chrono::milliseconds limit = std::chrono::seconds(30));
  // Until `text` is in what was read (and keeps what follows), or the end, or the limit.
  std::string read_until(std::string_view text);
  std::string read_exactly(std::size_t count);
  std::string read_to_end();
  // Whether the other side ends the connection within `limit` without sending anything more.
  bool sees_end(std::chrono::milliseconds limit = std::chrono::seconds(30));
  // The same, by a reset.
  bool sees_reset(std::chrono::milliseconds limit = std::chrono::seconds(30));
  void shut_writing();
  void reset();  // closes with RST
  void close();
  bool open() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
  std::string buffer_;
};

// A header's value in a message's head; the name as it was sent.
std::optional<std::string> header_in(const std::string& head, std::string_view name);

// A response as a test looks at it.
struct HttpResponse {
  int status = 0;
  std::string head;  // with status line, without the empty line
  std::string body;  // transfer coding removed
  std::string trailers;
  bool complete = false;  // false: cut

  // The value of the first header of this name (exact case), or nothing.
  std::optional<std::string> header(std::string_view name) const;
};
// `answers_head`: no body follows whatever the head says.
HttpResponse read_response(LoopbackSocket& socket, bool answers_head = false);

}  // namespace invlog::test

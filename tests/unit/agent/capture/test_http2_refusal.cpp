// The frames that a refused client of HTTP/2 gets.
#include "agent/capture/http2_refusal.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "tests/catch.h"

namespace invlog::capture {
namespace {

struct SentFrame {
  int type, flags;
  std::uint32_t stream;
  std::string payload;
};

std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t number = 0;
  for (const char byte : bytes)
    number = number << 8 | static_cast<std::uint8_t>(byte);
  return number;
}

std::vector<SentFrame> frames_of(std::string_view bytes) {
  std::vector<SentFrame> frames;
  while (bytes.size() >= 9) {
    const std::size_t length = big_endian(bytes.substr(0, 3));
    frames.push_back(
        {bytes[3], bytes[4], big_endian(bytes.substr(5, 4)), std::string(bytes.substr(9, length))});
    bytes.remove_prefix(9 + std::min(length, bytes.size() - 9));
  }
  return frames;
}

std::vector<SentFrame> only(const std::vector<SentFrame>& frames, int type) {
  std::vector<SentFrame> some;
  for (const SentFrame& frame : frames) {
    if (frame.type == type)
      some.push_back(frame);
  }
  return some;
}

// The preface, SETTINGS and so many requests without a body.
std::string client_bytes(int requests) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session* session = nullptr;
  REQUIRE(nghttp2_session_callbacks_new(&callbacks) == 0);
  REQUIRE(nghttp2_session_client_new(&session, callbacks, nullptr) == 0);
  nghttp2_session_callbacks_del(callbacks);
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, nullptr, 0);
  const auto field = [](std::string_view name, std::string_view value) {
    return nghttp2_nv{reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                      reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                      value.size(), NGHTTP2_NV_FLAG_NONE};
  };
  const nghttp2_nv head[] = {field(":method", "POST"), field(":scheme", "http"),
                             field(":authority", "x"), field(":path", "/x")};
  for (int number = 0; number < requests; ++number)
    REQUIRE(nghttp2_submit_request(session, nullptr, head, std::size(head), nullptr, nullptr) > 0);
  std::string all;
  const std::uint8_t* bytes = nullptr;
  ssize_t count = 0;
  while ((count = nghttp2_session_mem_send(session, &bytes)) > 0)
    all.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count));
  nghttp2_session_del(session);
  return all;
}

const LocalResponse& full() {
  static const LocalResponse answer = aws_error(503, "ServiceUnavailableException", "full");
  return answer;
}

}  // namespace

TEST_CASE("A request of a refused HTTP/2 client is answered, and GOAWAY names it") {
  const bool byte_by_byte = GENERATE(false, true);
  const std::string bytes = client_bytes(1);
  Http2Refusal refusal(full());
  std::string sent;
  if (byte_by_byte) {
    for (const char& byte : bytes)
      sent += refusal.answer_to({&byte, 1});
  } else {
    sent = refusal.answer_to(bytes);
  }
  CHECK(refusal.answered());
  CHECK(refusal.over());
  const auto frames = frames_of(sent);
  REQUIRE(frames.size() >= 4);
  CHECK(frames.front().type == NGHTTP2_SETTINGS);
  const auto heads = only(frames, NGHTTP2_HEADERS);
  REQUIRE(heads.size() == 1);
  CHECK(heads[0].stream == 1);
  const auto data = only(frames, NGHTTP2_DATA);
  REQUIRE(data.size() == 1);
  CHECK(data[0].stream == 1);
  CHECK(data[0].payload == full().body);
  CHECK((data[0].flags & NGHTTP2_FLAG_END_STREAM) != 0);
  CHECK(frames.back().type == NGHTTP2_GOAWAY);
  CHECK(frames.back().payload == std::string_view("\0\0\0\1\0\0\0\0", 8));
}

TEST_CASE("All requests that a refused HTTP/2 client sent at first are answered, later ones not") {
  Http2Refusal refusal(full());
  const std::string bytes = client_bytes(3);
  const auto frames = frames_of(refusal.answer_to(bytes));
  CHECK(only(frames, NGHTTP2_HEADERS).size() == 3);
  CHECK(only(frames, NGHTTP2_DATA).size() == 3);
  const auto goodbyes = only(frames, NGHTTP2_GOAWAY);
  REQUIRE(goodbyes.size() == 1);
  CHECK(goodbyes[0].payload == std::string_view("\0\0\0\5\0\0\0\0", 8));
  const std::string four = client_bytes(4);
  CHECK(only(frames_of(refusal.answer_to(four.substr(bytes.size()))), NGHTTP2_HEADERS).empty());
}

TEST_CASE("A refused HTTP/2 client that has asked for nothing yet gets to ask") {
  Http2Refusal refusal(full());
  const std::string bytes = client_bytes(1), opening = client_bytes(0);
  REQUIRE(bytes.starts_with(opening));
  const auto first = frames_of(refusal.answer_to(opening));
  CHECK(only(first, NGHTTP2_SETTINGS).size() == 2);  // its own, and the client's acknowledged
  CHECK(only(first, NGHTTP2_GOAWAY).empty());
  CHECK_FALSE(refusal.answered());
  CHECK_FALSE(refusal.over());
  refusal.answer_to(bytes.substr(opening.size()));
  CHECK(refusal.answered());
}

TEST_CASE("A refused HTTP/2 client that breaks the protocol gets GOAWAY") {
  Http2Refusal refusal(full());
  // DATA on stream 0.
  const std::string broken = client_bytes(0) + std::string("\0\0\1\0\0\0\0\0\0x", 10);
  const auto frames = frames_of(refusal.answer_to(broken));
  REQUIRE_FALSE(frames.empty());
  CHECK(frames.back().type == NGHTTP2_GOAWAY);
  CHECK(frames.back().payload.substr(4, 4) == std::string_view("\0\0\0\1", 4));
  CHECK_FALSE(refusal.answered());
  CHECK(refusal.over());
}

}  // namespace invlog::capture

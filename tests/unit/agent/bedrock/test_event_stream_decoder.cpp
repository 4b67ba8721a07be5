#include "agent/bedrock/event_stream_decoder.h"

#include "tests/catch.h"
#include "tests/unit/agent/bedrock/event_frames.h"

using namespace invlog::bedrock;
using namespace invlog::tests;

namespace {

struct Decoded {
  std::vector<std::string> events;  // "type payload"
  std::vector<std::uint64_t> offsets;
  std::string cause;
  std::uint64_t damage_offset = 0;
  std::string undecoded;
};

// Feeds `stream` cut at the given places.
Decoded decode(std::string_view stream, std::vector<std::size_t> cuts = {}) {
  Decoded out;
  EventStreamDecoder decoder;
  cuts.push_back(stream.size());
  std::size_t from = 0;
  for (const std::size_t to : cuts) {
    decoder.feed(stream.substr(from, to - from));
    from = to;
    while (const auto found = decoder.next()) {
      out.events.push_back(std::string(found->text(":event-type")) + " " +
                           std::string(found->payload));
      out.offsets.push_back(found->offset);
    }
  }
  if (decoder.damage()) {
    out.cause = decoder.damage()->cause;
    out.damage_offset = decoder.damage()->offset;
  }
  out.undecoded = decoder.undecoded();
  return out;
}

}  // namespace

TEST_CASE("messages come out in order with their offsets") {
  const std::string one = event("messageStart", "{\"role\":\"assistant\"}");
  const std::string two = event("messageStop", "{}");
  const Decoded decoded = decode(one + two);
  CHECK(decoded.events ==
        std::vector<std::string>{"messageStart {\"role\":\"assistant\"}", "messageStop {}"});
  CHECK(decoded.offsets == std::vector<std::uint64_t>{0, one.size()});
  CHECK(decoded.cause.empty());
  CHECK(decoded.undecoded.empty());
}

TEST_CASE("messages split at every byte boundary decode the same") {
  const std::string stream = event("a", "first") + event("b", "") + event("c", "third");
  const Decoded whole = decode(stream);
  REQUIRE(whole.events.size() == 3);
  for (std::size_t cut = 0; cut <= stream.size(); ++cut) {
    INFO(cut);
    const Decoded split = decode(stream, {cut});
    CHECK(split.events == whole.events);
    CHECK(split.offsets == whole.offsets);
    CHECK(split.undecoded.empty());
  }
  std::vector<std::size_t> every;
  for (std::size_t cut = 1; cut < stream.size(); ++cut) {
    every.push_back(cut);
  }
  CHECK(decode(stream, every).events == whole.events);
}

TEST_CASE("a stream cut within a message keeps the rest as undecoded and is not damaged") {
  const std::string first = event("a", "first"), second = event("b", "second");
  for (std::size_t kept = 0; kept < second.size(); ++kept) {
    INFO(kept);
    const Decoded decoded = decode(first + second.substr(0, kept));
    CHECK(decoded.events.size() == 1);
    CHECK(decoded.cause.empty());
    CHECK(decoded.undecoded == second.substr(0, kept));
  }
}

TEST_CASE("one flipped bit anywhere is damage at that message, and the rest stays undecoded") {
  const std::string first = event("a", "first"), second = event("b", "x"), third = event("c", "");
  for (std::size_t at = 0; at < second.size(); ++at) {
    INFO(at);
    std::string damaged = second;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    const Decoded decoded = decode(first + damaged + third);
    CHECK(decoded.events.size() == 1);
    CHECK(decoded.damage_offset == first.size());
    CHECK(decoded.cause ==
          (at < 12 ? "prelude checksum does not match" : "message checksum does not match"));
    CHECK(decoded.undecoded == damaged + third);
  }
}

TEST_CASE("what is fed after the damage stays undecoded, too") {
  EventStreamDecoder decoder;
  decoder.feed(std::string(12, '\x01'));
  CHECK_FALSE(decoder.next());
  REQUIRE(decoder.damage());
  decoder.feed(event("a", "b"));
  CHECK_FALSE(decoder.next());
  CHECK(decoder.undecoded() == std::string(12, '\x01') + event("a", "b"));
}

TEST_CASE("lengths that cannot be are damage before their bytes are waited for") {
  const auto cause = [](std::uint32_t total, std::uint32_t headers) {
    return decode(message_with_lengths(total, headers, "")).cause;
  };
  CHECK(cause(15, 0) == "total length 15 has no room for headers of 0 bytes");
  CHECK(cause(0, 0) == "total length 0 has no room for headers of 0 bytes");
  CHECK(cause(20, 5) == "total length 20 has no room for headers of 5 bytes");
  CHECK(cause(0xFFFFFFFF, 0) == "payload of 4294967279 bytes is over the limit of 25165824");
  CHECK(cause(0xFFFFFFFF, 0xFFFFFFFF) ==
        "headers of 4294967295 bytes are over the limit of 131072");
  CHECK(cause(16 + 131073, 131073) == "headers of 131073 bytes are over the limit of 131072");
  CHECK(cause(16 + 131072, 131072).empty());
  CHECK(cause(16 + 25165825, 0) == "payload of 25165825 bytes is over the limit of 25165824");
  CHECK(cause(16 + 25165824, 0).empty());
}

TEST_CASE("a payload of 24 MiB decodes") {
  const std::string payload(EventStreamDecoder::kMaximumPayload, 'x');
  EventStreamDecoder decoder;
  const std::string stream = message("", payload);
  for (std::size_t at = 0; at < stream.size(); at += 1 << 20) {
    decoder.feed(std::string_view(stream).substr(at, 1 << 20));
  }
  const auto found = decoder.next();
  REQUIRE(found);
  CHECK(found->payload == payload);
}

TEST_CASE("an empty message and an empty stream are fine") {
  const Decoded decoded = decode(message("", ""));
  CHECK(decoded.events == std::vector<std::string>{" "});
  CHECK(decode("").events.empty());
  CHECK(decode("").cause.empty());
}

TEST_CASE("all header types decode") {
  const std::string bytes = big_endian(3, 2) + std::string("\0\x01\x02", 3);
  const std::string encoded =
      raw_header("t", 0, "") + raw_header("f", 1, "") + raw_header("i8", 2, "\x07") +
      raw_header("i16", 3, "ab") + raw_header("i32", 4, "abcd") + raw_header("i64", 5, "abcdefgh") +
      raw_header("bytes", 6, bytes) + text_header("text", "value") +
      raw_header("time", 8, "12345678") + raw_header("uuid", 9, "0123456789abcdef");
  EventStreamDecoder decoder;
  decoder.feed(message(encoded, "p"));
  const auto found = decoder.next();
  REQUIRE(found);
  REQUIRE(found->headers.size() == 10);
  const std::size_t sizes[] = {0, 0, 1, 2, 4, 8, 3, 5, 8, 16};
  for (std::size_t type = 0; type < 10; ++type) {
    CHECK(static_cast<std::size_t>(found->headers[type].type) == type);
    CHECK(found->headers[type].value.size() == sizes[type]);
  }
  CHECK(found->text("text") == "value");
  CHECK(found->text("bytes").empty());  // not of type string
  CHECK(found->text("absent").empty());
  CHECK(found->payload == "p");
}

TEST_CASE("malformed headers are damage with place and cause") {
  const auto cause = [](const std::string& headers) { return decode(message(headers, "")).cause; };
  CHECK(cause(text_header("a", "1") + text_header("a", "2")) ==
        "name that came before in the header at byte 6 of the headers");
  CHECK(cause(raw_header("a", 10, "")) == "unknown type in the header at byte 0 of the headers");
  CHECK(cause(raw_header("a", 255, "")) == "unknown type in the header at byte 0 of the headers");
  CHECK(cause(std::string(1, '\0')) == "no name in the header at byte 0 of the headers");
  CHECK(cause("\x05"
              "ab") == "name cut off in the header at byte 0 of the headers");
  CHECK(cause(std::string("\x01") + "a") == "name cut off in the header at byte 0 of the headers");
  CHECK(cause(raw_header("a", 7, "x")) ==
        "value length cut off in the header at byte 0 of the headers");
  CHECK(cause(raw_header("a", 7, big_endian(2, 2) + "x")) ==
        "value cut off in the header at byte 0 of the headers");
  CHECK(cause(raw_header("a", 5, "1234567")) ==
        "value cut off in the header at byte 0 of the headers");
}

TEST_CASE("more headers than anybody sends are damage") {
  const auto headers = [](std::size_t count) {
    std::string encoded;
    for (std::size_t at = 0; at < count; ++at) {
      encoded += raw_header(big_endian(at + 1, 2), 0, "");
    }
    return encoded;
  };
  CHECK(decode(message(headers(EventStreamDecoder::kMostHeaders), "p")).events.size() == 1);
  for (const std::size_t count : {EventStreamDecoder::kMostHeaders + 1,
                                  std::size_t{EventStreamDecoder::kMaximumHeaders / 4}}) {
    const Decoded more = decode(message(headers(count), "p"));
    CHECK(more.events.empty());
    CHECK(more.cause == "more than 64 headers");
  }
}

#include "storage/reader.h"
#include "storage/reference_matcher.h"
#include "storage/segment_decoder.h"
#include "storage/segment_encoder.h"
#include "storage/store_error.h"
#include "storage/varint.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

// Encodes, decodes, and checks each body; returns the stream's length.
std::uint64_t round_trip(const std::vector<std::pair<std::string, std::string>>& bodies) {
  SegmentEncoder encoder;
  encoder.begin();
  std::string compressed;
  for (const auto& [request, response] : bodies) {
    encoder.add(request, response);
    encoder.take(compressed);
  }
  SegmentDecoder decoder(0, 1 << 30);
  decoder.feed(compressed);
  REQUIRE(decoder.entries() == bodies.size());
  CHECK(decoder.at_entry_boundary());
  CHECK(!decoder.ended());
  for (std::size_t i = 0; i < bodies.size(); ++i) {
    CHECK((decoder.request(i) == bodies[i].first));
    CHECK((decoder.response(i) == bodies[i].second));
  }
  return encoder.stream_bytes();
}

}  // namespace

TEST_CASE("A body that repeats another's start enters the stream only from where they part") {
  const std::string first = noise(100'000, 1);
  CHECK(round_trip({{first, ""}, {first + noise(3000, 2), ""}}) < 100'000 + 3000 + 1100);
}

TEST_CASE("A body that repeats another's end enters the stream only up to where they meet") {
  const std::string tail = noise(30'000, 1);
  CHECK(round_trip({{noise(5000, 2) + tail, ""}, {noise(5500, 3) + tail, ""}}) <
        5000 + 30'000 + 5500 + 1100);
}

TEST_CASE("A conversation with a system prompt behind it costs one turn per call") {
  const std::string tail = noise(40'000, 1);
  std::string messages;
  std::vector<std::pair<std::string, std::string>> bodies;
  for (std::uint64_t turn = 0; turn < 100; ++turn) {
    messages += noise(2000, 100 + turn);
    bodies.emplace_back(messages + tail, noise(100, 1000 + turn));
  }
  CHECK(round_trip(bodies) < 40'000 + 100 * (2000 + 100 + 2 * 1024 + 40));
}

TEST_CASE("Identical, short, empty and binary bodies read back") {
  const std::string long_body = noise(10'000, 1);
  const std::string short_body = noise(100, 2);
  round_trip({{long_body, short_body},
              {long_body, short_body},
              {long_body, ""},
              {"", ""},
              {"", long_body},
              {short_body, short_body},
              {short_body, ""},
              {std::string(5000, '\0'), std::string(1, '\0')},
              {std::string(5001, '\0'), ""},
              {std::string(4999, '\0'), ""}});
}

TEST_CASE("Prefix and suffix that overlap in a shorter body do not count twice") {
  const std::string body = noise(8192, 1);
  round_trip({{body + body, ""}, {body, ""}, {body + body + body, ""}, {body.substr(0, 5000), ""}});
}

TEST_CASE("Lengths around the block size read back") {
  const std::string source = noise(9000, 1);
  std::vector<std::pair<std::string, std::string>> bodies{{source, ""}};
  for (const std::size_t length : {1023u, 1024u, 1025u, 2047u, 2048u, 2049u, 8191u, 8192u, 8193u}) {
    bodies.emplace_back(source.substr(0, length), "");
    bodies.emplace_back(source.substr(source.size() - length), "");
    bodies.emplace_back(source.substr(0, length) + source.substr(source.size() - length), "");
  }
  round_trip(bodies);
}

TEST_CASE("A chain of references longer than its bound starts anew") {
  std::vector<std::pair<std::string, std::string>> bodies;
  std::string body;
  for (std::uint32_t turn = 0; turn < ReferenceMatcher::kMaximumDepth + 200; ++turn) {
    body += noise(1024, turn);
    bodies.emplace_back(body, "");
  }
  const std::uint64_t stream = round_trip(bodies);
  // Once in the middle, not from there on.
  CHECK(stream > 1024 * ReferenceMatcher::kMaximumDepth * 2);
  CHECK(stream < 1024 * ReferenceMatcher::kMaximumDepth * 3);
}

TEST_CASE("More blocks than the matcher remembers read back") {
  const std::string large = noise(100 << 20, 1);
  ReferenceMatcher matcher;
  CHECK(matcher.add(large).prefix.length == 0);
  // What is in the table is found, what no longer fitted is not.
  const References again = matcher.add(large);
  CHECK(again.prefix.length > 90'000 * 1024);
  CHECK(again.prefix.length < large.size());
  CHECK(again.prefix.length + again.suffix.length <= large.size());
}

TEST_CASE("A chain that has become too long starts anew also when nothing more is remembered") {
  ReferenceMatcher matcher;
  // Each body shares a block with the one before alone: its end and its start by turns.
  std::string start = noise(1024, 1), end = noise(1024, 2);
  matcher.add(start + end);
  for (std::uint32_t body = 1; body <= ReferenceMatcher::kMaximumDepth; ++body) {
    std::string& changed = body % 2 == 0 ? end : start;
    changed = noise(1024, 2 + body);
    const References found = matcher.add(start + end);
    REQUIRE(found.prefix.length + found.suffix.length == 1024);
  }
  matcher.add(std::string(100 << 20, 'x'));  // fills the table
  // Depth is even: `end` changed last, and the next body repeats it.
  const References written_out = matcher.add(noise(1024, 5000) + end);
  CHECK(written_out.suffix.length == 0);
  const References found = matcher.add(noise(1024, 5001) + end);
  CHECK(found.suffix.length == 1024);
  CHECK(found.suffix.record == ReferenceMatcher::kMaximumDepth + 2);
}

// What a caller might hope for: bodies that differ only where a weak digest does not look, or that
// cancel each other out. None may be taken for another.
TEST_CASE("Crafted bodies never make one record read back as another's") {
  const std::string block = prose(1024, 1);
  std::vector<std::string> crafted{block};
  const auto changed = [&](auto change) {
    std::string body = block;
    change(body);
    crafted.push_back(body);
  };
  for (std::size_t word = 0; word < 128; ++word) {
    changed([&](std::string& body) { body[word * 8] = static_cast<char>(body[word * 8] ^ 1); });
    changed([&](std::string& body) {
      body[word * 8 + 7] = static_cast<char>(body[word * 8 + 7] ^ 0x80);
    });
    // Words that change places: a sum over products would not see a pair that swapped with another
    // pair.
    changed([&](std::string& body) {
      std::swap_ranges(body.begin(), body.begin() + 8, body.begin() + static_cast<long>(word) * 8);
    });
    changed([&](std::string& body) {
      std::swap_ranges(body.begin(), body.begin() + 16,
                       body.begin() + static_cast<long>(word / 2) * 16);
    });
    // Words that make a factor zero for one key or another.
    changed([&](std::string& body) { body.replace(word * 8, 8, 8, '\0'); });
    changed([&](std::string& body) { body.replace(word * 8, 8, 8, '\xff'); });
  }
  std::vector<std::pair<std::string, std::string>> bodies;
  for (const std::string& first : crafted) {
    bodies.emplace_back(first + block, "");
    bodies.emplace_back(block + first, "");
    bodies.emplace_back(first + first, "");
  }
  // The same blocks in another order, and as many zeros as there are lengths.
  bodies.emplace_back(crafted[1] + crafted[2] + crafted[3], "");
  bodies.emplace_back(crafted[3] + crafted[2] + crafted[1], "");
  for (std::size_t blocks = 0; blocks < 40; ++blocks) {
    bodies.emplace_back(std::string(blocks * 1024, '\0'), "");
    bodies.emplace_back(std::string(blocks * 1024, '\0') + block, "");
  }
  round_trip(bodies);

  // The same as requests of one store.
  TemporaryStore store;
  {
    Writer writer(store.options());
    for (const auto& [request, response] : bodies) {
      submit(writer, record_with(request, response));
    }
  }
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  std::size_t next = 0;
  (*reader)->each(1, Bodies::both, [&](StoredRecord& stored) {
    CHECK((stored.record.request.bytes == bodies[next++].first));
    return true;
  });
  CHECK(next == bodies.size());
}

// A caller may write what looks like an entry, a frame's end or a chunk into a body: they are bytes
// like others.
TEST_CASE("A body that imitates the format reads back as it is") {
  std::string header;
  for (const std::uint64_t value : {5000u, 10u, 4096u, 1u, 0u}) {
    append_varint(header, value);
  }
  const std::string magic("\x28\xb5\x2f\xfd\x00\x58\x01\x00\x00", 9);
  round_trip({{header + noise(4000, 1), header},
              {magic + header, magic},
              {std::string("\x01\x00\x00", 3), std::string("\x01\x00\x00", 3)},
              {header + noise(4000, 1), magic}});
}

TEST_CASE("A damaged stream is an error, not a body") {
  SegmentEncoder encoder;
  encoder.begin();
  const std::string body = noise(5000, 1);
  encoder.add(body, "answer");
  encoder.add(body + "more", "answer");
  std::string compressed;
  encoder.take(compressed);

  SECTION("a reference to nowhere") {
    std::string stream;
    for (const std::uint64_t value : {100u, 0u, 50u, 1u, 0u}) {
      append_varint(stream, value);
    }
    std::string frame(200, '\0');
    SegmentEncoder other;
    other.begin();
    // A frame with raw content: a request that is the crafted entry itself, cut free of its header.
    SegmentDecoder decoder(0, 1 << 20);
    const std::string raw_frame = std::string("\x28\xb5\x2f\xfd\x00\x58", 6) +
                                  static_cast<char>((stream.size() << 3 & 0xff) | 1) +
                                  static_cast<char>(stream.size() >> 5) + '\0' + stream;
    CHECK_THROWS_AS(decoder.feed(raw_frame), StoreError);
  }
  SECTION("a stream longer than declared") {
    SegmentDecoder decoder(0, 1000);
    CHECK_THROWS_AS(decoder.feed(compressed), StoreError);
  }
  SECTION("bytes that are not zstd's") {
    SegmentDecoder decoder(0, 1 << 20);
    CHECK_THROWS_AS(decoder.feed(prose(100, 1)), StoreError);
  }
  SECTION("bytes behind the frame's end") {
    SegmentDecoder decoder(0, 1 << 20);
    CHECK_THROWS_AS(decoder.feed(compressed + std::string("\x01\x00\x00x", 4)), StoreError);
  }
  SECTION("an end cut off is just fewer entries") {
    SegmentDecoder decoder(0, 1 << 20);
    decoder.feed(std::string_view(compressed).substr(0, compressed.size() / 2));
    CHECK(decoder.entries() < 2);
  }
}

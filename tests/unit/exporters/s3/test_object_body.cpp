#include "exporters/s3/object_body.h"

#include <algorithm>
#include <random>

#include "tests/catch.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog::exporters;

namespace {

const std::pair<Compression, std::string> kAll[] = {
    {Compression::gzip, "x.gz"}, {Compression::zstd, "x.zst"}, {Compression::none, "x"}};

// JSON lines of very different lengths, the longest beyond two pieces.
std::vector<std::string> test_lines() {
  std::mt19937 random(3);
  std::vector<std::string> lines;
  for (int i = 0; i < 3000; ++i) {
    std::string line = "{\"n\":" + std::to_string(i) + ",\"text\":\"";
    const std::size_t length = random() % 2000;
    while (line.size() < length) {
      line += std::to_string(random() % 1000);
    }
    lines.push_back(line + "\"}");
  }
  std::string long_line;
  while (long_line.size() < 2'500'000) {
    long_line += std::to_string(random());
  }
  lines.insert(lines.begin() + 1500, long_line);
  lines.insert(lines.begin() + 10, std::string((1 << 20) - 1, 'x'));  // a piece with its newline
  lines.insert(lines.begin() + 20, std::string(1 << 20, 'y'));
  lines.insert(lines.begin() + 30, "");
  return lines;
}

std::string compressed(Compression compression, const std::vector<std::string>& lines) {
  PieceCompressor compressor(compression);
  ObjectBody body(compressor);
  for (const std::string& line : lines) {
    body.append(line);
  }
  return std::string(body.finish());
}

}  // namespace

TEST_CASE("A reader gets back every line, whatever the compression") {
  const std::vector<std::string> lines = test_lines();
  for (const auto& [compression, name] : kAll) {
    CAPTURE(name);
    const std::string bytes = compressed(compression, lines);
    CHECK(lines_of(decompressed(name, bytes)) == lines);
    CHECK((compression == Compression::none || bytes.size() < 6'000'000));
  }
}

TEST_CASE("Lines that are not compressed count whole before they are written") {
  PieceCompressor none(Compression::none), gzip(Compression::gzip);
  ObjectBody whole(none), estimated(gzip);
  whole.append(std::string(999, 'x'));
  estimated.append(std::string(999, 'x'));
  CHECK(whole.estimated_bytes() == 1000);
  CHECK(estimated.estimated_bytes() == 250);
}

TEST_CASE("The same lines give the same bytes") {
  const std::vector<std::string> lines = test_lines();
  for (const auto& [compression, name] : kAll) {
    CAPTURE(name);
    CHECK(compressed(compression, lines) == compressed(compression, lines));
  }
}

TEST_CASE("A gzip object carries no time and no name, and each member ends with a line") {
  const std::string bytes = compressed(Compression::gzip, {"{}", "[]"});
  CHECK(bytes.substr(0, 8) == std::string("\x1f\x8b\x08\0\0\0\0\0", 8));
  std::vector<std::string> lines(3000, std::string(999, 'a'));
  const std::string many = compressed(Compression::gzip, lines);
  std::size_t members = 0;
  for (std::size_t at = 0; (at = many.find(bytes.substr(0, 8), at)) != std::string::npos; ++at) {
    ++members;
    const std::string rest = decompressed("x.gz", many.substr(at));
    CHECK(rest.size() % 1000 == 0);
  }
  CHECK(members == 3);
}

TEST_CASE("An object without lines is still a file of its kind") {
  for (const auto& [compression, name] : kAll) {
    const std::string bytes = compressed(compression, {});
    CHECK(decompressed(name, bytes).empty());
    CHECK(bytes.empty() == (compression == Compression::none));
  }
}

TEST_CASE("A zstd object has a checksum") {
  for (const std::size_t length : {std::size_t(10), std::size_t(3'000'000)}) {
    std::string bytes = compressed(Compression::zstd, {std::string(length, 'z')});
    CHECK((static_cast<unsigned char>(bytes[4]) & 4) != 0);  // RFC 8878 §3.1.1.1.1
    bytes.back() = static_cast<char>(~bytes.back());
    CHECK_THROWS(decompressed("x.zst", bytes));
  }
}

TEST_CASE("A long batch of lines occupies little more than its compressed bytes") {
  std::mt19937 random(5);
  for (const auto& [compression, name] : kAll) {
    if (compression == Compression::none) {
      continue;
    }
    PieceCompressor compressor(compression);
    ObjectBody body(compressor);
    std::size_t most = 0;
    std::string line(30'000, 'a');
    for (int i = 0; i < 4000; ++i) {  // 120 MB
      line.replace(random() % 29'000, 10, std::to_string(1'000'000'000 + random() % 1'000'000'000));
      body.append(line);
      most = std::max(most, body.working_bytes());
    }
    CAPTURE(name, most);
    CHECK(most <= (6 << 20));
    CHECK(body.line_bytes() == 4000 * 30'001);
    CHECK(body.finish().size() < (6 << 20));
    CHECK(body.working_bytes() < 1000);
    body.release();
    CHECK(body.estimated_bytes() == 0);
  }
}

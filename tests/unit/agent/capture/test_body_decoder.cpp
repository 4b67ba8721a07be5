#include "agent/capture/body_decoder.h"

#include <future>

#include "tests/catch.h"
#include "tests/unit/agent/bedrock/compressed.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

constexpr std::size_t kMost = 1 << 20;

struct BodyDecoderScene {
  CoroutineLoop loop;
  asio::thread_pool helper{1};
  BodyDecoder decoder{loop.executor(), helper};
  ~BodyDecoderScene() { helper.join(); }

  std::string decode(const std::string& coding, std::string& body) {
    const auto result = loop.start(decoder.decode(coding, body, kMost));
    REQUIRE(loop.run_until([&] { return result->has_value(); }));
    return **result;
  }
};

}  // namespace

TEST_CASE("A body is decoded on the helper's thread, and the loop goes on meanwhile") {
  BodyDecoderScene scene;
  std::promise<void> gate;
  asio::post(scene.helper, [&] { gate.get_future().wait(); });
  std::string body = tests::gzip(R"({"model":"m"})");
  const std::string sent = body;
  const auto result = scene.loop.start(scene.decoder.decode("gzip", body, kMost));
  scene.loop.run();
  CHECK_FALSE(result->has_value());
  gate.set_value();
  REQUIRE(scene.loop.run_until([&] { return result->has_value(); }));
  CHECK(**result == R"({"model":"m"})");
  CHECK(body == sent);
}

TEST_CASE("A body that cannot be decoded, or is too long when it is, is none, and is given back") {
  BodyDecoderScene scene;
  std::string damaged = tests::gzip("text").substr(0, 12),
              bomb = tests::gzip(std::string(kMost + 1, 'x'));
  const std::string sent = bomb;
  CHECK(scene.decode("gzip", damaged).empty());
  CHECK(scene.decode("gzip", bomb).empty());
  CHECK(bomb == sent);
  std::string exact = tests::gzip(std::string(kMost, 'x'));
  CHECK(scene.decode("gzip", exact).size() == kMost);
}

}  // namespace invlog::capture

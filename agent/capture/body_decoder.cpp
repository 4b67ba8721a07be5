#include "agent/capture/body_decoder.h"

#include <boost/asio/post.hpp>
#include <memory>
#include <new>
#include <utility>

#include "agent/bedrock/content_coding.h"

namespace invlog::capture {
namespace {

struct Work {
  std::string coding, body, decoded;
  std::size_t most = 0;
  Event done;
};

void decode(Work& work) {
  try {
    if (auto plain = bedrock::decode_content(work.coding, work.body, work.most))
      work.decoded = std::move(*plain);
  } catch (const std::bad_alloc&) {
    work.decoded.clear();
  }
}

}  // namespace

Task<std::string> BodyDecoder::decode(std::string coding, std::string& body, std::size_t most) {
  // Shared: the call may be cut while the helper is at it.
  const auto work = std::make_shared<Work>();
  work->coding = std::move(coding);
  work->body = std::move(body);
  work->most = most;
  asio::post(helper_, [executor = executor_, work] {
    capture::decode(*work);
    asio::post(executor, [work] { work->done.set(); });
  });
  co_await work->done.wait();
  body = std::move(work->body);
  co_return std::move(work->decoded);
}

}  // namespace invlog::capture

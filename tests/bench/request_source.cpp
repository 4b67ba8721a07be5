#include "tests/bench/request_source.h"

#include <algorithm>
#include <cstdio>
#include <stdexcept>
#include <utility>

namespace invlog::bench {
namespace {

constexpr std::string_view kStart =
    R"({"inferenceConfig":{"maxTokens":512,"temperature":0.2},"messages":[)";
constexpr std::string_view kUser = R"({"role":"user","content":[{"text":")";
constexpr std::string_view kAssistant = R"({"role":"assistant","content":[{"text":")";
constexpr std::string_view kMessageEnd = R"("}]},)";
constexpr std::string_view kEnd = R"("}]}],"system":[{"text":"You are a helpful assistant."}]})";
constexpr std::size_t kStampBytes = 17;
constexpr std::size_t kSmallestConversation = 8 * 1024;
constexpr std::size_t kNewText = 2 * 1024;
constexpr std::size_t kMessageText = 1200;
constexpr std::uint64_t kCallsPerConversation = 40;

}  // namespace

RequestSource::RequestSource(RequestOptions options, TextPool& pool, std::uint32_t connection)
    : options_(std::move(options)), pool_(pool), connection_(connection) {
  const auto frame = kStart.size() + kUser.size() + kStampBytes + kEnd.size();
  if (options_.body_bytes < frame) {
    throw std::invalid_argument("a body of a call has at least " + std::to_string(frame) +
                                " bytes");
  }
  const bool conversation = options_.conversation && options_.body_bytes >= kSmallestConversation;
  new_text_bytes_ = conversation ? kNewText : options_.body_bytes - frame;
  begin_conversation();
  // The signature is not checked by anyone here; it has the length of a real one, which costs its
  // parsing.
  head_start_ =
      "POST " + options_.target + " HTTP/1.1\r\nHost: " + options_.host +
      "\r\nAccept-Encoding: identity\r\nContent-Type: application/json\r\nUser-Agent: Boto3/1.40.1 "
      "md/Botocore#1.40.1 ua/2.1 os/linux#6.1.0 md/arch#x86_64 lang/python#3.11.2 "
      "md/pyimpl#CPython cfg/retry-mode#legacy\r\nX-Amz-Date: 20260601T120000Z\r\n"
      "Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260601/eu-central-1/bedrock/"
      "aws4_request, SignedHeaders=content-type;host;x-amz-date, "
      "Signature=0000000000000000000000000000000000000000000000000000000000000000\r\n"
      "amz-sdk-request: attempt=1\r\nContent-Length: " +
      std::to_string(options_.body_bytes) + "\r\namz-sdk-invocation-id: ";
}

void RequestSource::begin_conversation() {
  earlier_ = kStart;
  const auto last = kUser.size() + kStampBytes + new_text_bytes_ + kEnd.size();
  for (bool user = true; earlier_.size() + last < options_.body_bytes; user = !user) {
    const auto role = user ? kUser : kAssistant;
    const auto room = options_.body_bytes - last - earlier_.size();
    const auto frame = role.size() + kMessageEnd.size();
    if (room <= frame) {
      // Too little for another message: white space is JSON too.
      earlier_.append(room, ' ');
      break;
    }
    earlier_ += role;
    earlier_ += pool_.take(std::min(room - frame, kMessageText));
    earlier_ += kMessageEnd;
  }
  earlier_ += kUser;
}

RequestSource::Parts RequestSource::next() {
  if (calls_ != 0 && calls_ % kCallsPerConversation == 0 && new_text_bytes_ == kNewText) {
    begin_conversation();
  }
  ++calls_;
  char id[64];
  std::snprintf(id, sizeof id, "%08x-0000-4000-8000-%012llx\r\n\r\n", connection_,
                static_cast<unsigned long long>(calls_));
  head_ = head_start_;
  head_ += id;
  char stamp[32];
  std::snprintf(stamp, sizeof stamp, "%04x call %06llu ", connection_ & 0xffff,
                static_cast<unsigned long long>(calls_ % 1000000));
  stamp_.assign(stamp, kStampBytes);
  return {head_, earlier_, stamp_, pool_.take(new_text_bytes_), kEnd};
}

}  // namespace invlog::bench

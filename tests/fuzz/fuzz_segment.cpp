// Feeds the segment decoder and the reference resolver what a damaged or hostile file might hold:
// it may refuse, but must not crash, read out of bounds, run on for ever, or use more memory than
// declared.
//
// The first byte chooses: the rest as compressed bytes as they are; or as a stream that is put into
// a valid frame of raw blocks, so that the fuzzer reaches the entries without having to find zstd's
// format first.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "storage/record_codec.h"
#include "storage/segment_decoder.h"
#include "storage/store_error.h"

namespace {

using namespace invlog::storage;

constexpr std::uint64_t kStreamLimit = 1 << 20;
// A request of 256 MiB is allowed by the format; assembling many of those would only make the
// fuzzer slow.
constexpr std::uint64_t kAssembledLimit = 1 << 24;

std::string raw_frame(std::string_view stream) {
  // RFC 8878: magic, descriptor 0 (window given), window 4 MiB; then raw blocks of at most 128 KiB.
  std::string frame("\x28\xb5\x2f\xfd\x00\x60", 6);
  do {
    const std::string_view block = stream.substr(0, 128 * 1024);
    stream.remove_prefix(block.size());
    const auto header = static_cast<std::uint32_t>(block.size() << 3 | (stream.empty() ? 1 : 0));
    frame.push_back(static_cast<char>(header));
    frame.push_back(static_cast<char>(header >> 8));
    frame.push_back(static_cast<char>(header >> 16));
    frame += block;
  } while (!stream.empty());
  return frame;
}

void decode(std::string_view compressed, std::size_t portion) {
  SegmentDecoder decoder(0, kStreamLimit);
  try {
    while (!compressed.empty()) {
      decoder.feed(compressed.substr(0, portion));
      compressed.remove_prefix(std::min(portion, compressed.size()));
    }
  } catch (const StoreError&) {
    // What was decoded before the damage can still be asked for.
  }
  if (decoder.stream_bytes() > kStreamLimit + 1) {
    std::abort();
  }
  std::uint64_t assembled = 0;
  for (std::size_t i = 0; i < decoder.entries(); ++i) {
    if (decoder.response(i).size() != decoder.response_bytes(i)) {
      std::abort();
    }
    assembled += decoder.request_bytes(i);
    if (assembled > kAssembledLimit) {
      return;
    }
    try {
      if (decoder.request(i).size() != decoder.request_bytes(i)) {
        std::abort();
      }
    } catch (const StoreError&) {
      // An endless chain of references, and said so.
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t portion = data[0] >> 2 == 0 ? input.size() + 1 : data[0] >> 2;
  switch (data[0] & 3) {
    case 0:
      decode(input, portion);
      break;
    case 1:
      try {
        decode_record(input);
      } catch (const StoreError&) {
        // Not an intent row.
      }
      break;
    default:
      decode(raw_frame(input), portion);
  }
  return 0;
}

#include "storage/keyed_digest.h"

#include <openssl/rand.h>

#include <algorithm>
#include <cstring>

#include "storage/store_error.h"

namespace invlog::storage {
namespace {

__extension__ typedef unsigned __int128 Wide;

constexpr Wide kPrime = (Wide{1} << 127) - 1;

// Prefixes and suffixes share one table; different first coefficients keep them apart.
constexpr Digest127 kStartOfPrefix{1, 0};
constexpr Digest127 kStartOfSuffix{2, 0};

Wide reduce(Wide value) {
  value = (value & kPrime) + (value >> 127);
  return value >= kPrime ? value - kPrime : value;
}

// Both below 2^127; so is the result.
Wide multiply(Wide a, Wide b) {
  const auto a_low = static_cast<std::uint64_t>(a), a_high = static_cast<std::uint64_t>(a >> 64);
  const auto b_low = static_cast<std::uint64_t>(b), b_high = static_cast<std::uint64_t>(b >> 64);
  const Wide low = Wide{a_low} * b_low;
  const Wide middle = Wide{a_low} * b_high + Wide{a_high} * b_low;
  const Wide product_low = low + (middle << 64);
  const Wide product_high =
      Wide{a_high} * b_high + (middle >> 64) + (product_low < low ? Wide{1} : Wide{0});
  // 2^128 is 2 in this field.
  return reduce((product_high << 1) + (product_low >> 127) + (product_low & kPrime));
}

}  // namespace

KeyedDigest::KeyedDigest() {
  std::array<std::uint64_t, 2> point;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(nh_key_.data()), sizeof(nh_key_)) != 1 ||
      RAND_bytes(reinterpret_cast<unsigned char*>(point.data()), sizeof(point)) != 1) {
    throw StoreError("store: the system gives no random numbers, so no key can be drawn");
  }
  point_ = {point[0], point[1] >> 1};
}

Digest127 KeyedDigest::add_block(Digest127 running, const char* block) const {
  Wide first = 0, second = 0;
  for (std::size_t i = 0; i < kWords; i += 2) {
    std::uint64_t words[2];
    std::memcpy(words, block + i * sizeof(std::uint64_t), sizeof(words));
    first += Wide{words[0] + nh_key_[i]} * (words[1] + nh_key_[i + 1]);
    second += Wide{words[0] + nh_key_[i + 2]} * (words[1] + nh_key_[i + 3]);
  }
  const Wide point = (Wide{point_.high} << 64) | point_.low;
  Wide value = (Wide{running.high} << 64) | running.low;
  for (const Wide half : {first, second}) {
    value = reduce(multiply(value, point) + static_cast<std::uint64_t>(half));
    value = reduce(multiply(value, point) + static_cast<std::uint64_t>(half >> 64));
  }
  return {static_cast<std::uint64_t>(value), static_cast<std::uint64_t>(value >> 64)};
}

void KeyedDigest::from_start(std::string_view body, std::vector<Digest127>& digests) const {
  digests.clear();
  Digest127 running = kStartOfPrefix;
  for (std::size_t end = kBlockBytes; end <= body.size(); end += kBlockBytes) {
    running = add_block(running, body.data() + end - kBlockBytes);
    digests.push_back(running);
  }
}

void KeyedDigest::from_end(std::string_view body, std::size_t limit,
                           std::vector<Digest127>& digests) const {
  digests.clear();
  Digest127 running = kStartOfSuffix;
  const std::size_t covered = std::min(body.size(), limit);
  for (std::size_t length = kBlockBytes; length <= covered; length += kBlockBytes) {
    running = add_block(running, body.data() + body.size() - length);
    digests.push_back(running);
  }
}

}  // namespace invlog::storage

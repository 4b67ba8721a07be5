// A running 127-bit digest of a body, block by block, under a secret key: how the writer knows that
// two bodies begin (or end) with the same bytes without keeping either.
//
// Bodies come from callers, so equality of digests must be proof even for bodies made to deceive.
// This is a Carter-Wegman construction, whose collision bound holds for any inputs chosen without
// the key:
//   1. each block of 1 KiB goes through NH (Black, Halevi, Krawczyk, Krovetz, Rogaway: UMAC, CRYPTO
//   '99) over 64-bit words,
//      twice with a Toeplitz-shifted key: two different blocks agree with probability 2^-128;
//   2. the four words that come out per block are coefficients of a polynomial over GF(2^127 - 1),
//   evaluated at a
//      secret point: two different sequences of n blocks agree with probability at most 4n / 2^127,
//      2^-110 for 32 MiB.
// The key is drawn from the kernel when the process starts, lives in memory only, and no digest
// ever leaves the process. SHA-256 instead cost two thirds of the writer's time; this runs at
// several GB/s with plain 64-bit multiplications.
//
// Threads: const after construction. Errors: the constructor throws StoreError if the kernel gives
// no randomness.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace invlog::storage {

struct Digest127 {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  bool operator==(const Digest127&) const = default;
};

class KeyedDigest {
 public:
  static constexpr std::size_t kBlockBytes = 1024;

  KeyedDigest();

  // digests[i] covers the first (i + 1) blocks of `body`; what is left over at the end is not
  // covered.
  void from_start(std::string_view body, std::vector<Digest127>& digests) const;
  // digests[i] covers the last (i + 1) blocks of `body`, within its last `limit` bytes.
  void from_end(std::string_view body, std::size_t limit, std::vector<Digest127>& digests) const;

 private:
  static constexpr std::size_t kWords = kBlockBytes / sizeof(std::uint64_t);

  Digest127 add_block(Digest127 running, const char* block) const;

  std::array<std::uint64_t, kWords + 2> nh_key_;
  Digest127 point_;
};

}  // namespace invlog::storage

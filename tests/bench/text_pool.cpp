#include "tests/bench/text_pool.h"

#include <array>
#include <cmath>
#include <random>
#include <stdexcept>
#include <vector>

namespace invlog::bench {
namespace {

constexpr std::size_t kWords = 8192;

std::vector<std::string> make_vocabulary(std::mt19937_64& random) {
  constexpr std::array<std::string_view, 16> kSyllables{"ta", "re", "in", "con", "der", "mo",
                                                        "st", "al", "is", "per", "ro",  "le",
                                                        "un", "ke", "or", "vi"};
  std::vector<std::string> vocabulary(kWords);
  for (auto& word : vocabulary) {
    const auto syllables = 1 + random() % 4;
    for (std::size_t index = 0; index < syllables; ++index) {
      word += kSyllables[random() % kSyllables.size()];
    }
  }
  return vocabulary;
}

}  // namespace

TextPool::TextPool(std::size_t bytes) {
  std::mt19937_64 random(20240611);
  const auto vocabulary = make_vocabulary(random);
  text_.reserve(bytes + 64);
  while (text_.size() < bytes) {
    // Words by Zipf's law, near enough: the logarithm of the rank is uniform.
    const double uniform = static_cast<double>(random() >> 11) * 0x1p-53;
    const auto rank = static_cast<std::size_t>(std::exp(uniform * std::log(kWords)));
    text_ += vocabulary[(rank - 1) % kWords];
    text_ += ' ';
  }
}

std::string_view TextPool::take(std::size_t bytes) {
  if (bytes > text_.size() / 2) {
    throw std::length_error("TextPool: the pool is too small for a text of this length");
  }
  if (next_ + bytes > text_.size()) {
    // Not at the beginning again, so that a second pass is cut elsewhere than the first.
    next_ = (next_ * 31 + 7) % (text_.size() / 2);
  }
  const auto text = std::string_view(text_).substr(next_, bytes);
  next_ += bytes;
  return text;
}

}  // namespace invlog::bench

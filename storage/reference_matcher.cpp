#include "storage/reference_matcher.h"

#include <algorithm>

namespace invlog::storage {
namespace {

constexpr std::size_t kFirstSlots = 1024;
constexpr std::size_t kMaximumSlots = 128 * 1024;

}  // namespace

ReferenceMatcher::ReferenceMatcher() : slots_(kFirstSlots) {}

void ReferenceMatcher::clear() {
  slots_ = std::vector<Slot>(kFirstSlots);
  used_ = 0;
  depths_ = {};
}

ReferenceMatcher::Slot& ReferenceMatcher::slot(const Digest127& digest) {
  const std::size_t mask = slots_.size() - 1;
  std::size_t position = digest.low & mask;
  while (slots_[position].record_plus_one != 0 && !(slots_[position].digest == digest)) {
    position = (position + 1) & mask;
  }
  return slots_[position];
}

void ReferenceMatcher::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  for (const Slot& entry : old) {
    if (entry.record_plus_one != 0) {
      slot(entry.digest) = entry;
    }
  }
}

// Whoever has block i in the table has all before it, so the longest known run is found by halving.
Reference ReferenceMatcher::longest(const std::vector<Digest127>& digests) {
  const auto first_unknown = std::partition_point(
      digests.begin(), digests.end(),
      [this](const Digest127& digest) { return slot(digest).record_plus_one != 0; });
  if (first_unknown == digests.begin()) {
    return {};
  }
  const auto blocks = static_cast<std::uint64_t>(first_unknown - digests.begin());
  return {slot(*(first_unknown - 1)).record_plus_one - 1, blocks * KeyedDigest::kBlockBytes};
}

void ReferenceMatcher::insert(const std::vector<Digest127>& digests, std::uint32_t record,
                              bool replace) {
  for (const Digest127& digest : digests) {
    Slot* entry = &slot(digest);
    if (entry->record_plus_one == 0) {
      if (used_ >= slots_.size() / 4 * 3) {
        if (slots_.size() >= kMaximumSlots) {
          return;  // what follows is as new as this
        }
        grow();
        entry = &slot(digest);
      }
      ++used_;
    } else if (!replace) {
      continue;
    }
    *entry = {digest, record + 1};
  }
}

References ReferenceMatcher::add(std::string_view body) {
  digest_.from_start(body, from_start_);
  digest_.from_end(body, kSuffixBytes, from_end_);
  const auto record = static_cast<std::uint32_t>(depths_.size());

  References found{longest(from_start_), longest(from_end_)};
  found.suffix.length = std::min(found.suffix.length, body.size() - found.prefix.length);
  std::uint32_t depth = 0;
  for (const Reference& reference : {found.prefix, found.suffix}) {
    if (reference.length > 0) {
      depth = std::max(depth, depths_[reference.record] + 1u);
    }
  }
  // A chain that has become too long ends here: this body is written out, and later ones refer to
  // it instead.
  const bool start_anew = depth > kMaximumDepth;
  if (start_anew) {
    found = {};
    depth = 0;
  }
  depths_.push_back(static_cast<std::uint16_t>(depth));
  insert(from_start_, record, start_anew);
  insert(from_end_, record, start_anew);
  return found;
}

}  // namespace invlog::storage

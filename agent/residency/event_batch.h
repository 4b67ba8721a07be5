// Calls as CloudTrail tells them, a million of them at once: what is needed to find their records
// and to say what they were, 64 bytes each, with the texts that repeat kept once.
//
// Threads: one. Ownership: views live as long as the TextPool. Errors: none but for lack of memory.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/residency/trail_event.h"
#include "storage/trail_ledger.h"

namespace invlog::residency {

// Texts to numbers and back.
class TextPool {
 public:
  static constexpr std::uint32_t kNone = 0xffffffff;

  std::uint32_t number(std::string_view text);      // a new one if need be
  std::uint32_t find(std::string_view text) const;  // kNone if there is none
  std::string_view text(std::uint32_t number) const { return texts_[number]; }

 private:
  std::deque<std::string> texts_;  // whose elements stay where they are
  std::unordered_map<std::string_view, std::uint32_t> numbers_;
};

// A request's or an event's id: the 16 bytes of a UUID, or the number of another text.
struct CompactId {
  std::array<unsigned char, 16> bytes{};
  bool is_text = false;

  auto operator<=>(const CompactId&) const = default;
};
CompactId compact_id(std::string_view text, TextPool& pool);
// Of an id as the store has it. A text that the pool has not is no id of any event: false.
bool find_compact_id(std::string_view bytes, bool is_uuid, const TextPool& pool, CompactId& id);
std::string id_text(const CompactId& id, const TextPool& pool);

struct CompactEvent {
  std::int64_t at_us = 0;
  std::uint32_t model = 0, principal = 0, source_address = 0, region = 0, error = 0;
  CompactId request, event;
  std::uint8_t operation = 0;
  bool matched : 1 = false;
  bool counted : 1 = true;  // it is of the span that is compared, not from beside it
};
CompactEvent compact_event(const TrailEvent& event, std::string_view processed_region,
                           TextPool& pool);
storage::UnseenCall unseen_call(const CompactEvent& event, const TextPool& pool);

// Sorts by request id, then event id, and drops what is there more than once; returns how many that
// were.
std::int64_t sort_events(std::vector<CompactEvent>& events);

}  // namespace invlog::residency

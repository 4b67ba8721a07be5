#include "agent/residency/event_batch.h"

#include <algorithm>
#include <cstring>
#include <tuple>

#include "storage/uuid.h"

namespace invlog::residency {
namespace {

constexpr std::string_view kOperations[] = {
    "",         "InvokeModel",    "InvokeModelWithResponseStream",
    "Converse", "ConverseStream", "InvokeModelWithBidirectionalStream"};

CompactId text_id(std::uint32_t number) {
  CompactId id;
  id.is_text = true;
  std::memcpy(id.bytes.data(), &number, sizeof number);
  return id;
}

}  // namespace

std::uint32_t TextPool::number(std::string_view text) {
  const std::uint32_t known = find(text);
  if (known != kNone) {
    return known;
  }
  const auto number = static_cast<std::uint32_t>(texts_.size());
  numbers_.emplace(texts_.emplace_back(text), number);
  return number;
}

std::uint32_t TextPool::find(std::string_view text) const {
  const auto place = numbers_.find(text);
  return place == numbers_.end() ? kNone : place->second;
}

CompactId compact_id(std::string_view text, TextPool& pool) {
  const auto uuid = storage::uuid_bytes(text);
  if (!uuid) {
    return text_id(pool.number(text));
  }
  CompactId id;
  std::memcpy(id.bytes.data(), uuid->data(), id.bytes.size());
  return id;
}

bool find_compact_id(std::string_view bytes, bool is_uuid, const TextPool& pool, CompactId& id) {
  if (!is_uuid) {
    const std::uint32_t number = pool.find(bytes);
    id = text_id(number);
    return number != TextPool::kNone;
  }
  id.is_text = false;
  std::memcpy(id.bytes.data(), bytes.data(), id.bytes.size());
  return true;
}

std::string id_text(const CompactId& id, const TextPool& pool) {
  if (!id.is_text) {
    return storage::uuid_text({reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()});
  }
  std::uint32_t number = 0;
  std::memcpy(&number, id.bytes.data(), sizeof number);
  return std::string(pool.text(number));
}

CompactEvent compact_event(const TrailEvent& event, std::string_view processed_region,
                           TextPool& pool) {
  CompactEvent compact;
  compact.at_us = event.at_us;
  compact.model = pool.number(event.model);
  compact.principal = pool.number(event.principal);
  compact.source_address = pool.number(event.source_address);
  compact.region = pool.number(processed_region);
  compact.error = pool.number(event.error);
  compact.request = compact_id(event.request_id, pool);
  compact.event = compact_id(event.event_id, pool);
  const auto* const operation =
      std::find(std::begin(kOperations), std::end(kOperations), event.operation);
  compact.operation = operation == std::end(kOperations)
                          ? std::uint8_t{0}
                          : static_cast<std::uint8_t>(operation - std::begin(kOperations));
  return compact;
}

storage::UnseenCall unseen_call(const CompactEvent& event, const TextPool& pool) {
  storage::UnseenCall call;
  call.event_id = id_text(event.event, pool);
  call.at_us = event.at_us;
  call.request_id = id_text(event.request, pool);
  call.operation = kOperations[event.operation];
  call.model = pool.text(event.model);
  call.principal = pool.text(event.principal);
  call.source_address = pool.text(event.source_address);
  call.inference_region = pool.text(event.region);
  call.error = pool.text(event.error);
  return call;
}

std::int64_t sort_events(std::vector<CompactEvent>& events) {
  std::sort(events.begin(), events.end(), [](const CompactEvent& left, const CompactEvent& right) {
    return std::tie(left.request, left.event) < std::tie(right.request, right.event);
  });
  const auto end = std::unique(events.begin(), events.end(),
                               [](const CompactEvent& left, const CompactEvent& right) {
                                 return left.request == right.request && left.event == right.event;
                               });
  const auto dropped = static_cast<std::int64_t>(events.end() - end);
  events.erase(end, events.end());
  return dropped;
}

}  // namespace invlog::residency

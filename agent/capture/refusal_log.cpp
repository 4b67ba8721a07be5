#include "agent/capture/refusal_log.h"

#include "storage/json_writer.h"

namespace invlog::capture {

void RefusalLog::note(const std::string& why, const std::string& subject,
                      const std::string& message, Time now) {
  const auto known = entries_.find({why, subject});
  const bool told_apart = known != entries_.end() || entries_.size() < kMostSubjects;
  const std::string name = told_apart ? subject : "(others)";
  const auto [place, first] = entries_.try_emplace({why, name});
  Entry& entry = place->second;
  if (first) {
    entry.told_at = now;
    tell_({why, name, message, 1});
    return;
  }
  if (entry.since.calls == 0)
    entry.since = {why, name, message, 0};
  ++entry.since.calls;
}

void RefusalLog::tick(Time now) {
  for (auto place = entries_.begin(); place != entries_.end();) {
    Entry& entry = place->second;
    if (now - entry.told_at < kInterval) {
      ++place;
    } else if (entry.since.calls == 0) {
      place = entries_.erase(place);
    } else {
      entry.told_at = now;
      tell_(std::exchange(entry.since, {}));
      ++place;
    }
  }
}

void RefusalLog::flush() {
  for (auto& [key, entry] : entries_) {
    if (entry.since.calls > 0)
      tell_(std::exchange(entry.since, {}));
  }
}

std::string refusal_event(const RefusedCalls& refused) {
  std::string details = "{";
  storage::append_json_member(details, "why", refused.why);
  storage::append_json_member(details, "caller", refused.subject);
  storage::append_json_number(details, "calls", static_cast<long long>(refused.calls));
  storage::append_json_member(details, "message", refused.message);
  return details + "}";
}

}  // namespace invlog::capture

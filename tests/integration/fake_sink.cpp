#include "tests/integration/fake_sink.h"

#include <utility>

namespace invlog::test {

using storage::Submitted;

Submitted FakeSink::submit(std::unique_ptr<storage::PendingRecord>& pending,
                           storage::Writer::Committed committed, storage::Writer::IntentId intent) {
  const std::lock_guard lock(mutex_);
  if (full_)
    return failing_ ? Submitted::failed : Submitted::full;
  records_.push_back(pending->build());
  pending.reset();
  if (intent != 0)
    finished_intents_.push_back(intent);
  if (committed) {
    if (holding_) {
      waiting_commits_.push_back([committed] { committed(true); });
    } else {
      committed(true);
    }
  }
  changed_.notify_all();
  return Submitted::queued;
}

Submitted FakeSink::submit_intent(std::unique_ptr<storage::PendingRecord>& pending,
                                  storage::Writer::IntentId& intent,
                                  storage::Writer::Committed committed) {
  const std::lock_guard lock(mutex_);
  if (full_)
    return failing_ ? Submitted::failed : Submitted::full;
  intents_.push_back(pending->build());
  pending.reset();
  intent = intents_.size();
  if (holding_) {
    waiting_commits_.push_back([committed] { committed(true); });
  } else {
    committed(true);
  }
  return Submitted::queued;
}

void FakeSink::forget_intent(storage::Writer::IntentId intent) {
  const std::lock_guard lock(mutex_);
  finished_intents_.push_back(intent);
}

void FakeSink::when_room(std::function<void()> room) {
  const std::lock_guard lock(mutex_);
  if (full_) {
    waiting_room_.push_back(std::move(room));
  } else {
    room();
  }
}

void FakeSink::count_dropped(const char* why, std::uint64_t records) {
  const std::lock_guard lock(mutex_);
  for (std::uint64_t each = 0; each < records; ++each)
    dropped_.emplace_back(why);
  changed_.notify_all();
}

void FakeSink::record_event(const char* kind, std::string details) {
  const std::lock_guard lock(mutex_);
  events_.push_back(kind + (" " + details));
  changed_.notify_all();
}

std::vector<std::string> FakeSink::events() {
  const std::lock_guard lock(mutex_);
  return events_;
}

bool FakeSink::failing() {
  const std::lock_guard lock(mutex_);
  return failing_;
}

void FakeSink::set_full(bool full) {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    full_ = full;
    if (!full)
      waiting = std::exchange(waiting_room_, {});
  }
  for (const auto& room : waiting)
    room();
}

void FakeSink::set_failing(bool failing) {
  const std::lock_guard lock(mutex_);
  failing_ = failing;
}

void FakeSink::hold_commits() {
  const std::lock_guard lock(mutex_);
  holding_ = true;
}

void FakeSink::hold_no_more() {
  const std::lock_guard lock(mutex_);
  holding_ = false;
}

void FakeSink::release_commits() {
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    holding_ = false;
    waiting = std::exchange(waiting_commits_, {});
  }
  for (const auto& commit : waiting)
    commit();
}

std::vector<storage::Record> FakeSink::wait_for(std::size_t count) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(30), [&] { return records_.size() >= count; });
  return records_;
}

std::size_t FakeSink::records() {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

std::vector<storage::Record> FakeSink::intents() {
  const std::lock_guard lock(mutex_);
  return intents_;
}

std::vector<storage::Writer::IntentId> FakeSink::finished_intents() {
  const std::lock_guard lock(mutex_);
  return finished_intents_;
}

std::vector<std::string> FakeSink::dropped() {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::size_t FakeSink::commits_waiting() {
  const std::lock_guard lock(mutex_);
  return waiting_commits_.size();
}

}  // namespace invlog::test

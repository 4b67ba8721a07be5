#include "storage/writer.h"

#include <algorithm>
#include <utility>

#include "storage/directory_of.h"
#include "storage/disk_refusal.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/time_text.h"
#include "storage/writer_implementation.h"

namespace invlog::storage {
namespace {

WriterOptions with_clock(WriterOptions options) {
  if (!options.steady_clock) {
    options.steady_clock = options.clock ? options.clock : since_boot_us;
  }
  if (!options.clock) {
    options.clock = system_now_us;
  }
  return options;
}

}  // namespace

Writer::Implementation::Implementation(WriterOptions options)
    : options_(with_clock(std::move(options))),
      store_(open_or_later()),
      thread_([this] { run(); }) {}

std::unique_ptr<Store> Writer::Implementation::open_or_later() {
  try {
    return open();
  } catch (const StoreError& error) {
    const std::string refusal = disk_refusal(directory_of(resolved_store_path(options_.path)));
    if (!options_.open_later || refusal.empty()) {
      throw;
    }
    status_.failing = true;
    status_.last_error = std::string(error.what()) + " (" + refusal + ")";
    return nullptr;
  }
}

std::unique_ptr<Store> Writer::Implementation::open() {
  auto store = std::make_unique<Store>(options_);
  store->when_busy([this](const std::string& activity) {
    beat();
    const std::lock_guard lock(mutex_);
    activity_ = activity;
  });
  return store;
}

Submitted Writer::Implementation::submit(std::unique_ptr<PendingRecord>& pending,
                                         Committed committed, IntentId intent) {
  Item item;
  item.committed = std::move(committed);
  item.intent = intent;
  return enqueue(pending, std::move(item));
}

Submitted Writer::Implementation::submit_intent(std::unique_ptr<PendingRecord>& pending,
                                                IntentId& intent, Committed committed) {
  Item item;
  item.is_intent = true;
  item.committed = std::move(committed);
  {
    const std::lock_guard lock(mutex_);
    item.intent = ++last_intent_;
  }
  const IntentId id = item.intent;
  const Submitted submitted = enqueue(pending, std::move(item));
  if (submitted == Submitted::queued) {
    intent = id;
  }
  return submitted;
}

void Writer::Implementation::when_room(std::function<void()> room) {
  {
    const std::lock_guard lock(mutex_);
    if (!finished_) {
      waiting_for_room_.push_back(std::move(room));
      wake_.notify_one();
      return;
    }
  }
  room();
}

void Writer::Implementation::count_dropped(const char* why, std::uint64_t records) {
  const std::lock_guard lock(mutex_);
  dropped_by_cause_[why] += records;
  status_.dropped += records;
  wake_.notify_one();
}

void Writer::Implementation::record_event(std::string kind, std::string details) {
  constexpr std::size_t kMostWaiting = 1000;  // while the store takes nothing
  const std::lock_guard lock(mutex_);
  if (new_events_.size() < kMostWaiting) {
    new_events_.emplace_back(std::move(kind), std::move(details));
  } else {
    ++lost_events_;
  }
  wake_.notify_one();
}

std::uint64_t Writer::Implementation::heartbeat() const {
  return beats_.load(std::memory_order_relaxed);
}

void Writer::Implementation::set_retention(RetentionOptions retention) {
  const std::lock_guard lock(mutex_);
  new_retention_ = std::move(retention);
  wake_.notify_one();
}

WriterStatus Writer::Implementation::status() const {
  const std::lock_guard lock(mutex_);
  WriterStatus status = status_;
  for (const auto* drops : {&dropped_by_cause_, &drops_in_group_}) {
    for (const auto& [why, records] : *drops) {
      status.untold_drops += records;
    }
  }
  if (hangs() && !status.failing) {
    const auto seconds =
        std::chrono::duration_cast<std::chrono::seconds>(Steady::now() - *attempt_began_);
    status.failing = true;
    status.last_error = "store " + options_.path + ": ";
    status.last_error += activity_.empty() ? "the disk has not answered for " +
                                                 std::to_string(seconds.count() / 5 * 5) + " s"
                                           : activity_;
  }
  if (status.failing) {
    const auto is_at_risk = [this](const Item& item) {
      return item.pending && !item.is_intent && written_intents_.count(item.intent) == 0;
    };
    status.untold_drops += group_at_risk_ + static_cast<std::uint64_t>(std::count_if(
                                                queue_.begin(), queue_.end(), is_at_risk));
  }
  return status;
}

void Writer::Implementation::stop(std::chrono::milliseconds limit,
                                  const std::function<void()>& still_working) {
  {
    Lock lock(mutex_);
    if (!stopping_) {
      stopping_ = true;
      stop_at_ = Steady::now() + limit;
    }
    wake_.notify_all();
    std::uint64_t beats = heartbeat();
    while (!ended_.wait_for(lock, std::chrono::seconds(1), [this] { return finished_; })) {
      if (still_working && std::exchange(beats, heartbeat()) != heartbeat()) {
        still_working();
      }
    }
  }
  const std::lock_guard joining(join_mutex_);
  if (thread_.joinable()) {
    thread_.join();
  }
}

Submitted Writer::Implementation::enqueue(std::unique_ptr<PendingRecord>& pending, Item item) {
  Lock lock(mutex_);
  item.bytes = pending->memory_bytes();
  // A single record larger than the queue passes when the queue is empty; else it would never.
  const bool fits = queue_.empty() || status_.queued_bytes + item.bytes <= options_.queue_bytes;
  if (stopping_) {
    return Submitted::failed;
  }
  if (!fits) {
    return failing() ? Submitted::failed : Submitted::full;
  }
  item.pending = std::move(pending);
  append(lock, std::move(item));
  return Submitted::queued;
}

// Into the queue, so that it comes after the intent itself, which may still be there; whether there
// is room or not, since it is next to nothing.
void Writer::Implementation::forget_intent(IntentId intent) {
  Lock lock(mutex_);
  if (finished_) {
    return;
  }
  Item item;
  item.intent = intent;
  append(lock, std::move(item));
}

// Gives the lock up.
void Writer::Implementation::append(Lock& lock, Item item) {
  item.submitted_at = Steady::now();
  status_.queued_bytes += item.bytes;
  ++status_.queued_records;
  // The client of a strict call waits for its commit.
  hurry_ = hurry_ || item.intent != 0;
  queue_.push_back(std::move(item));
  // Freed after the lock is given up.
  std::vector<Used> returned;
  returned.swap(returned_);
  // A writer that collects looks at the queue by itself when the group is due: waking it for each
  // record would cost the caller's thread a system call per call. Once it was woken it is no
  // longer waiting.
  const bool wake =
      waiting_ == Waiting::for_work || (waiting_ == Waiting::for_due && enough_collected());
  if (wake) {
    waiting_ = Waiting::for_nothing;
  }
  lock.unlock();
  if (wake) {
    wake_.notify_one();
  }
}

// Records are taken from the queue together, when their group is due: right after a call its
// client makes the next one, and would have to share the processor with the writer. A queue that
// fills does not wait for that.
bool Writer::Implementation::enough_collected() const {
  return hurry_ || stopping_ || queue_.size() >= kGroupRecords / 4 ||
         status_.queued_bytes >= std::min<std::uint64_t>(kGroupBytes, options_.queue_bytes / 4) ||
         !waiting_for_room_.empty();
}

Writer::Writer(WriterOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

Writer::~Writer() {
  stop();
}

Submitted Writer::submit(std::unique_ptr<PendingRecord>& pending, Committed committed,
                         IntentId intent) {
  return implementation_->submit(pending, std::move(committed), intent);
}

Submitted Writer::submit_intent(std::unique_ptr<PendingRecord>& pending, IntentId& intent,
                                Committed committed) {
  return implementation_->submit_intent(pending, intent, std::move(committed));
}

void Writer::forget_intent(IntentId intent) {
  implementation_->forget_intent(intent);
}

void Writer::when_room(std::function<void()> room) {
  implementation_->when_room(std::move(room));
}

void Writer::count_dropped(const char* why, std::uint64_t records) {
  implementation_->count_dropped(why, records);
}

void Writer::record_event(std::string kind, std::string details) {
  implementation_->record_event(std::move(kind), std::move(details));
}

std::uint64_t Writer::heartbeat() const {
  return implementation_->heartbeat();
}

void Writer::set_retention(RetentionOptions retention) {
  implementation_->set_retention(std::move(retention));
}

WriterStatus Writer::status() const {
  return implementation_->status();
}

void Writer::stop(std::chrono::milliseconds limit, const std::function<void()>& still_working) {
  implementation_->stop(limit, still_working);
}

}  // namespace invlog::storage

// The writer's own thread: takes records from the queue into groups, commits them with patience,
// and lets retention work in between.
#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "storage/json_writer.h"
#include "storage/store_error.h"
#include "storage/writer_implementation.h"

namespace invlog::storage {
namespace {

// What a small record was made of is freed by the thread that made it: two threads that free each
// other's memory wait for each other in malloc, thousands of times a second.
constexpr std::size_t kReturnedBytes = 16 * 1024;

constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kLongestBackOff{5000};
// Somebody else's transaction (a delivery that reads, a query) is no failure of the disk, unless it
// does not end.
constexpr std::chrono::seconds kLongestBusy{5};
constexpr std::chrono::milliseconds kBusyWait{10};
// How long retention is left alone after it has failed.
constexpr std::chrono::seconds kTidyBackOff{5};
// How often an idle writer looks whether the day is over, or an eraser asks for the segment's end.
constexpr std::chrono::seconds kIdleWait{1};
constexpr int kNiceness = 5;
// For so long after a record the writer looks for the next by itself.
constexpr std::chrono::milliseconds kActiveTime{500};

std::string error_details(const std::string& error) {
  std::string details = "{\"error\":";
  append_json_string(details, error);
  return details + "}";
}

}  // namespace

void Writer::Implementation::run() {
  ::pthread_setname_np(::pthread_self(), "invlog-writer");
  // This thread's niceness (setpriority(2): on Linux a thread's own). Where processors are short,
  // whoever answers a call goes before whoever writes it down.
  ::setpriority(PRIO_PROCESS, 0, kNiceness);
  Lock lock(mutex_);
  if (open_at_last(lock) && !store_->group_empty()) {
    // What recovery found no room for.
    open_group(Steady::now());
  }
  while (!abandoned_) {
    beat();
    give_room(lock);
    if (!group_open_ && new_retention_due()) {
      take_new_retention(lock);
      // One that was open under other limits may take all the room there is now, and nothing else
      // could go for what comes next.
      close_segment_if_due(lock);
    }
    if (!queue_.empty() && !group_open_) {
      open_group(queue_.front().submitted_at);
    } else if (!queue_.empty() && (draining_ || enough_collected() || group_is_due())) {
      draining_ = true;
      take_one(lock);
    } else if (group_open_ && (urgent_ || stopping_ || group_is_due())) {
      commit(lock);
    } else if (has_side_work() && !group_open_) {
      open_group(Steady::now());
    } else if (stopping_ && !group_open_) {
      break;
    } else if (group_open_ || (!tidy(lock) && nothing_came())) {
      wait(lock);
    }
  }
  finish(lock);
}

// Where the constructor could not. False: the time for it is over.
bool Writer::Implementation::open_at_last(Lock& lock) {
  return store_ || attempt(lock, [this] { store_ = open(); });
}

void Writer::Implementation::wait(Lock& lock) {
  if (group_open_) {
    waiting_ = Waiting::for_due;
    wake_.wait_until(lock, group_due_);
  } else if (Steady::now() - last_taken_ < kActiveTime && options_.commit_interval.count() > 0) {
    // More is to be expected: looking costs less than being woken by each call.
    waiting_ = Waiting::for_due;
    wake_.wait_for(lock, options_.commit_interval / 2);
  } else {
    returned_.clear();
    waiting_ = Waiting::for_work;
    wake_.wait_for(lock, kIdleWait);
    restore_if_gone(lock);
    close_segment_if_due(lock);
    close_segment_if_asked(lock);
  }
  waiting_ = Waiting::for_nothing;
}

// Half of the interval is for collecting, half for the disk. When records have waited for the
// disk already, the group still gets a quarter to collect: else a slow disk would be asked for a
// commit per record.
void Writer::Implementation::open_group(Steady::time_point first) {
  group_open_ = true;
  group_due_ =
      std::max(first + options_.commit_interval / 2, Steady::now() + options_.commit_interval / 4);
}

void Writer::Implementation::take_one(Lock& lock) {
  last_taken_ = Steady::now();
  Item item = std::move(queue_.front());
  queue_.pop_front();
  status_.queued_bytes -= item.bytes;
  --status_.queued_records;
  item.on_record = !item.is_intent && written_intents_.erase(item.intent) != 0;
  if (queue_.empty()) {
    hurry_ = draining_ = false;
  }
  lock.unlock();
  process(item);
  const bool group_full =
      store_->group_bytes() >= std::min(kGroupBytes, store_->most_group_bytes()) ||
      store_->group_records() >= kGroupRecords;
  const bool segment_due = store_->segment_due();
  if (item.bytes > kReturnedBytes) {
    used_ = {};
  }
  lock.lock();
  if (used_.pending) {
    returned_.push_back(std::move(used_));
  }
  // What came while the group collected belongs to it; with an end, since more may always come.
  const bool overdue = Steady::now() >= group_due_ + options_.commit_interval / 4;
  if (group_full || segment_due || overdue) {
    commit(lock);
    close_segment_if_due(lock);
  }
}

// The store's id of the intent that ends with `item`; 0: there is none.
std::uint64_t Writer::Implementation::take_stored_intent(const Item& item) {
  const auto stored = item.is_intent ? decltype(stored_intents_)::node_type()
                                     : stored_intents_.extract(item.intent);
  return stored ? stored.mapped() : 0;
}

// Without the lock.
void Writer::Implementation::process(Item& item) {
  const std::uint64_t ended = take_stored_intent(item);
  if (!item.pending) {
    if (ended != 0) {
      store_->forget_intent(ended);
    }
    return;
  }
  try {
    Record record = item.pending->build();
    if (item.is_intent) {
      const std::uint64_t stored = store_->add_intent(record);
      if (stored == 0) {
        if (item.committed) {
          item.committed(false);
        }
        return;
      }
      stored_intents_[item.intent] = stored;
      group_intents_.push_back(item.intent);
    } else {
      used_.bodies = store_->add(std::move(record), ended);
      ++group_records_;
      group_at_risk_ += item.on_record ? 0 : 1;
    }
    // The client of a strict call is waiting for this commit.
    urgent_ = urgent_ || item.intent != 0;
    if (item.committed) {
      waiters_.push_back({std::move(item.committed), item.is_intent});
    }
    used_.pending = std::move(item.pending);
  } catch (const std::exception& error) {
    // Of an intent, the call's record is still to come, and to be counted.
    if (!item.is_intent) {
      count_dropped("build-failed", 1);
    }
    if (ended != 0) {
      store_->forget_intent(ended);
    }
    record_event("build-failed", error_details(error.what()));
    if (item.committed) {
      item.committed(false);
    }
  }
}

void Writer::Implementation::collect_side_work() {
  for (const auto& [why, records] : dropped_by_cause_) {
    std::string details = "{\"why\":";
    append_json_string(details, why);
    store_->add_event("dropped", static_cast<std::int64_t>(records), details + "}");
    drops_in_group_[why] += records;
  }
  dropped_by_cause_.clear();
  for (auto& [kind, details] : new_events_) {
    store_->add_event(std::move(kind), std::nullopt, std::move(details));
  }
  new_events_.clear();
  if (lost_events_ > 0) {
    store_->add_event("events-dropped", static_cast<std::int64_t>(std::exchange(lost_events_, 0)),
                      "");
  }
}

void Writer::Implementation::commit(Lock& lock) {
  collect_side_work();
  if (!attempt(lock, [this] { store_->commit(); })) {
    return;
  }
  drops_in_group_.clear();
  status_.committed += group_records_;
  answer(lock, true);
  close_segment_if_asked(lock);
  tidy(lock);
}

// One step, so that the next group waits for no more. True: there is more to do.
bool Writer::Implementation::tidy(Lock& lock) {
  if (abandoned_ || Steady::now() < next_tidy_) {
    return false;
  }
  std::string error;
  bool more = false;
  try {
    const AtTheFile at_the_file(*this, lock);
    more = store_->tidy();
  } catch (const StoreError& failure) {
    error = failure.what();
    next_tidy_ = Steady::now() + kTidyBackOff;
  }
  status_.aged += store_->take_aged();
  if (const std::int64_t step = store_->take_clock_step(); step != 0) {
    new_events_.emplace_back("clock-set", "{\"by\":" + std::to_string(step / 1'000'000) + "}");
  }
  if (error.empty()) {
    error = store_->clock_problem();
  }
  status_.retention_error = std::move(error);
  return more;
}

void Writer::Implementation::take_new_retention(Lock& lock) {
  if (!new_retention_due()) {
    return;
  }
  const RetentionOptions retention = std::move(*new_retention_);
  new_retention_.reset();
  std::string error;
  try {
    const AtTheFile at_the_file(*this, lock);
    store_->set_retention(retention);
  } catch (const StoreError& failure) {
    error = failure.what();
  }
  if (!error.empty()) {
    status_.retention_error = error;
    retention_due_ = Steady::now() + kTidyBackOff;
    if (!new_retention_) {
      new_retention_ = retention;
    }
  }
}

// Without a record to write, nobody else would notice.
void Writer::Implementation::restore_if_gone(Lock& lock) {
  if (!abandoned_ && !group_open_ && file_is_gone(lock)) {
    attempt(lock, [this] { store_->restore_file(); });
  }
}

bool Writer::Implementation::file_is_gone(Lock& lock) {
  const AtTheFile at_the_file(*this, lock);
  return store_->file_is_gone();
}

bool Writer::Implementation::close_is_requested(Lock& lock) {
  const AtTheFile at_the_file(*this, lock);
  return store_->close_requested();
}

void Writer::Implementation::close_segment_if_due(Lock& lock) {
  if (!abandoned_ && !group_open_ && store_->segment_due()) {
    attempt(lock, [this] { store_->close_segment(); });
  }
}

void Writer::Implementation::close_segment_if_asked(Lock& lock) {
  if (abandoned_ || group_open_ || !close_is_requested(lock)) {
    return;
  }
  if (attempt(lock, [this] { store_->close_segment(); })) {
    const AtTheFile at_the_file(*this, lock);
    store_->answer_close_request();
  }
}

void Writer::Implementation::answer(Lock& lock, bool ok) {
  group_open_ = false;
  urgent_ = false;
  group_records_ = 0;
  group_at_risk_ = 0;
  if (ok) {
    written_intents_.insert(group_intents_.begin(), group_intents_.end());
  }
  group_intents_.clear();
  tell(lock, std::exchange(waiters_, {}), ok);
}

void Writer::Implementation::tell(Lock& lock, const std::vector<Waiter>& waiters, bool ok) {
  lock.unlock();
  for (const Waiter& waiter : waiters) {
    waiter.committed(ok);
  }
  lock.lock();
}

// Where there is no room. Whoever waits for an intent goes on, or is refused, at once; and behind
// it may be the records that end other intents, and give their room back. False: there are none.
bool Writer::Implementation::refuse_intents(Lock& lock) {
  const auto refused = store_ ? store_->drop_intents() : std::vector<std::uint64_t>();
  group_intents_.clear();
  std::erase_if(stored_intents_, [&refused](const auto& stored) {
    return std::find(refused.begin(), refused.end(), stored.second) != refused.end();
  });
  const auto theirs = std::stable_partition(waiters_.begin(), waiters_.end(),
                                            [](const Waiter& each) { return !each.for_intent; });
  const std::vector<Waiter> waiters(std::make_move_iterator(theirs),
                                    std::make_move_iterator(waiters_.end()));
  waiters_.erase(theirs, waiters_.end());
  tell(lock, waiters, false);
  return !refused.empty();
}

Writer::Implementation::Tried Writer::Implementation::try_once(Lock& lock,
                                                               const std::function<void()>& work) {
  Tried tried;
  try {
    const AtTheFile at_the_file(*this, lock);
    work();
  } catch (const StoreError& failure) {
    tried.error = failure.what();
    tried.busy = failure.sqlite_code() == SQLITE_BUSY;
    tried.full = failure.sqlite_code() == SQLITE_FULL;
  }
  return tried;
}

// Until the next attempt; beats meanwhile.
void Writer::Implementation::pause(Lock& lock, std::chrono::milliseconds length) {
  auto until = Steady::now() + length;
  if (stopping_) {
    until = std::min(until, stop_at_);
  }
  const auto ready = [this] { return new_retention_due() || past_stop(); };
  while (!ready() && Steady::now() < until) {
    beat();
    wake_.wait_until(lock, std::min(until, Steady::now() + kIdleWait), ready);
  }
}

bool Writer::Implementation::attempt(Lock& lock, const std::function<void()>& work) {
  auto back_off = kFirstBackOff;
  const auto started = Steady::now();
  for (bool again = false;; again = true) {
    beat();
    // A group that was collected under other limits is written under them, if it can be: its
    // segment cannot be closed before it.
    if (again) {
      take_new_retention(lock);
    }
    const Tried tried = try_once(lock, work);
    if (tried.error.empty()) {
      if (status_.failing) {
        status_.failing = false;
        new_events_.emplace_back("storage-recovered", error_details(status_.last_error));
      }
      return true;
    }
    if (past_stop()) {
      status_.failing = true;
      status_.last_error = tried.error;
      abandoned_ = true;
      return false;
    }
    if (tried.full && refuse_intents(lock)) {
      continue;
    }
    if (tried.busy && Steady::now() - started < kLongestBusy) {
      pause(lock, kBusyWait);
      continue;
    }
    status_.failing = true;
    status_.last_error = tried.error;
    pause(lock, std::exchange(back_off, std::min(back_off * 2, kLongestBackOff)));
  }
}

void Writer::Implementation::give_room(Lock& lock) {
  if (waiting_for_room_.empty() || status_.queued_bytes > options_.queue_bytes / 2) {
    return;
  }
  std::vector<std::function<void()>> rooms;
  rooms.swap(waiting_for_room_);
  lock.unlock();
  for (const auto& room : rooms) {
    room();
  }
  lock.lock();
}

// The time is over: what is left is counted and answered. A record whose request is in the file is
// none of what is lost: the next start has it as interrupted.
void Writer::Implementation::abandon(Lock& lock) {
  std::uint64_t lost = store_ ? store_->drop_group() : 0;
  for (const Item& item : queue_) {
    const std::uint64_t ended = take_stored_intent(item);
    const bool on_record = ended != 0 && store_->has_written(ended);
    if (!item.pending && on_record) {
      store_->forget_intent(ended);
    } else if (item.pending && !item.is_intent && !on_record) {
      ++lost;
    }
  }
  status_.dropped += lost;
  if (lost > 0) {
    dropped_by_cause_["storage-failed"] += lost;
  }
  if (store_) {
    for (const auto& [why, records] : std::exchange(drops_in_group_, {})) {
      dropped_by_cause_[why] += records;  // their rows went with the group
    }
    collect_side_work();
  }
  answer(lock, false);
  std::deque<Item> left;
  left.swap(queue_);
  status_.queued_bytes = status_.queued_records = 0;
  lock.unlock();
  for (Item& item : left) {
    if (item.committed) {
      item.committed(false);
    }
  }
  lock.lock();
}

void Writer::Implementation::finish(Lock& lock) {
  if (abandoned_) {
    abandon(lock);
  }
  if (store_) {
    // What was abandoned is told where there is room for a row: the store may be full, or the disk
    // answer again.
    Tried tried = try_once(lock, [this] { store_->commit(); });
    if (tried.error.empty()) {
      drops_in_group_.clear();
      tried = try_once(lock, [this] { store_->close(); });
    }
    if (!tried.error.empty()) {
      status_.failing = true;
      status_.last_error = tried.error;
    }
  }
  finished_ = true;
  ended_.notify_all();
  std::vector<std::function<void()>> rooms;
  rooms.swap(waiting_for_room_);
  lock.unlock();
  for (const auto& room : rooms) {
    room();
  }
}

}  // namespace invlog::storage

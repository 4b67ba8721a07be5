#include "storage/writer.h"

#include <pthread.h>
#include <sys/resource.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "storage/json_writer.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/time_text.h"

namespace invlog::storage {
namespace {

using Steady = std::chrono::steady_clock;

// A group is committed when it holds this much, however little time has passed: it bounds what is
// kept for a retry.
constexpr std::uint64_t kGroupBytes = 4 << 20;
constexpr std::size_t kGroupRecords = 1024;

// What a small record was made of is freed by the thread that made it: two threads that free each
// other's memory wait for each other in malloc, thousands of times a second.
constexpr std::size_t kReturnedBytes = 16 * 1024;

constexpr std::chrono::milliseconds kFirstBackOff{100};
constexpr std::chrono::milliseconds kLongestBackOff{5000};
// Somebody else's transaction (a delivery's, a checkpoint's) is no failure of the disk, unless it
// does not end. SQLite itself waits 5 s each time.
constexpr std::chrono::seconds kLongestBusy{15};
// How long retention is left alone after it has failed.
constexpr std::chrono::seconds kTidyBackOff{5};
// How often an idle writer looks whether the day is over.
constexpr std::chrono::seconds kIdleWait{30};
constexpr int kNiceness = 5;
// For so long after a record the writer looks for the next by itself.
constexpr std::chrono::milliseconds kActiveTime{500};

WriterOptions with_clock(WriterOptions options) {
  if (!options.clock) {
    options.clock = system_now_us;
  }
  return options;
}

std::string error_details(const std::string& error) {
  std::string details = "{\"error\":";
  append_json_string(details, error);
  return details + "}";
}

}  // namespace

class Writer::Implementation {
 public:
  explicit Implementation(WriterOptions options)
      : options_(with_clock(std::move(options))), store_(options_), thread_([this] { run(); }) {}

  Submitted submit(std::unique_ptr<PendingRecord>& pending, Committed committed, IntentId intent) {
    Item item;
    item.committed = std::move(committed);
    item.intent = intent;
    return enqueue(pending, std::move(item));
  }

  Submitted submit_intent(std::unique_ptr<PendingRecord>& pending, IntentCommitted committed) {
    Item item;
    item.is_intent = true;
    item.intent_committed = std::move(committed);
    return enqueue(pending, std::move(item));
  }

  void when_room(std::function<void()> room) {
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

  void count_dropped(const char* why, std::uint64_t records) {
    const std::lock_guard lock(mutex_);
    dropped_by_cause_[why] += records;
    status_.dropped += records;
    wake_.notify_one();
  }

  void record_event(std::string kind, std::string details) {
    const std::lock_guard lock(mutex_);
    new_events_.emplace_back(std::move(kind), std::move(details));
    wake_.notify_one();
  }

  WriterStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }

  void stop(std::chrono::milliseconds limit) {
    {
      const std::lock_guard lock(mutex_);
      if (!stopping_) {
        stopping_ = true;
        stop_at_ = Steady::now() + limit;
      }
      wake_.notify_all();
    }
    const std::lock_guard joining(join_mutex_);
    if (thread_.joinable()) {
      thread_.join();
    }
  }

 private:
  struct Item {
    std::unique_ptr<PendingRecord> pending;
    bool is_intent = false;
    Committed committed;
    IntentCommitted intent_committed;
    IntentId intent = 0;
    std::size_t bytes = 0;
    Steady::time_point submitted_at;
  };
  // What is left of a record that was taken into the group.
  struct Used {
    std::unique_ptr<PendingRecord> pending;
    Store::BodyBytes bodies;
  };
  using Lock = std::unique_lock<std::mutex>;
  enum class Waiting { for_nothing, for_work, for_due };

  Submitted enqueue(std::unique_ptr<PendingRecord>& pending, Item item) {
    Lock lock(mutex_);
    item.bytes = pending->memory_bytes();
    // A single record larger than the queue passes when the queue is empty; else it would never.
    const bool fits = queue_.empty() || status_.queued_bytes + item.bytes <= options_.queue_bytes;
    if (stopping_) {
      return Submitted::failed;
    }
    if (!fits) {
      return status_.failing ? Submitted::failed : Submitted::full;
    }
    item.pending = std::move(pending);
    item.submitted_at = Steady::now();
    status_.queued_bytes += item.bytes;
    ++status_.queued_records;
    // The client of a strict call waits for its commit.
    hurry_ = hurry_ || item.is_intent || item.intent != 0;
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
    return Submitted::queued;
  }

  // Records are taken from the queue together, when their group is due: right after a call its
  // client makes the next one, and would have to share the processor with the writer. A queue that
  // fills does not wait for that.
  bool enough_collected() const {
    return hurry_ || stopping_ || queue_.size() >= kGroupRecords / 4 ||
           status_.queued_bytes >= std::min<std::uint64_t>(kGroupBytes, options_.queue_bytes / 4) ||
           !waiting_for_room_.empty();
  }

  bool past_stop(const Lock&) const { return stopping_ && Steady::now() >= stop_at_; }

  void run() {
    ::pthread_setname_np(::pthread_self(), "invlog-writer");
    // This thread's niceness (setpriority(2): on Linux a thread's own). Where processors are short,
    // whoever answers a call goes before whoever writes it down.
    ::setpriority(PRIO_PROCESS, 0, kNiceness);
    Lock lock(mutex_);
    while (!abandoned_) {
      give_room(lock);
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
      } else if (group_open_ || !tidy(lock)) {
        wait(lock);
      }
    }
    finish(lock);
  }

  bool group_is_due() const { return Steady::now() >= group_due_; }

  void wait(Lock& lock) {
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
      close_segment_if_due(lock);
    }
    waiting_ = Waiting::for_nothing;
  }

  bool has_side_work() const { return !dropped_by_cause_.empty() || !new_events_.empty(); }

  // Half of the interval is for collecting, half for the disk. When records have waited for the
  // disk already, the group still gets a quarter to collect: else a slow disk would be asked for a
  // commit per record.
  void open_group(Steady::time_point first) {
    group_open_ = true;
    group_due_ = std::max(first + options_.commit_interval / 2,
                          Steady::now() + options_.commit_interval / 4);
  }

  void take_one(Lock& lock) {
    last_taken_ = Steady::now();
    Item item = std::move(queue_.front());
    queue_.pop_front();
    status_.queued_bytes -= item.bytes;
    --status_.queued_records;
    if (queue_.empty()) {
      hurry_ = draining_ = false;
    }
    lock.unlock();
    process(item);
    const bool group_full =
        store_.group_bytes() >= std::min(kGroupBytes, store_.most_group_bytes()) ||
        store_.group_records() >= kGroupRecords;
    const bool segment_due = store_.segment_due();
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

  // Without the lock.
  void process(Item& item) {
    try {
      Record record = item.pending->build();
      if (item.is_intent) {
        const IntentId id = store_.add_intent(record);
        urgent_ = true;
        callbacks_.push_back([id, done = std::move(item.intent_committed)](bool ok) {
          if (done) {
            done(id, ok);
          }
        });
      } else {
        used_.bodies = store_.add(std::move(record), item.intent);
        ++group_records_;
        // The client of a strict call is waiting for this commit.
        urgent_ = urgent_ || item.intent != 0;
        if (item.committed) {
          callbacks_.push_back(std::move(item.committed));
        }
      }
      used_.pending = std::move(item.pending);
    } catch (const std::exception& error) {
      // The request's intent row stays, and becomes a record at the next start.
      count_dropped("build-failed", 1);
      record_event("build-failed", error_details(error.what()));
      if (item.intent_committed) {
        item.intent_committed(0, false);
      }
      if (item.committed) {
        item.committed(false);
      }
    }
  }

  void collect_side_work() {
    for (const auto& [why, records] : dropped_by_cause_) {
      std::string details = "{\"why\":";
      append_json_string(details, why);
      store_.add_event("dropped", static_cast<std::int64_t>(records), details + "}");
    }
    dropped_by_cause_.clear();
    for (auto& [kind, details] : new_events_) {
      store_.add_event(std::move(kind), std::nullopt, std::move(details));
    }
    new_events_.clear();
  }

  void commit(Lock& lock) {
    collect_side_work();
    if (!attempt(lock, [this] { store_.commit(); })) {
      return;
    }
    status_.committed += group_records_;
    answer(lock, true);
    tidy(lock);
  }

  // One step, so that the next group waits for no more. True: there is more to do.
  bool tidy(Lock& lock) {
    if (abandoned_ || Steady::now() < next_tidy_) {
      return false;
    }
    std::string error;
    bool more = false;
    lock.unlock();
    try {
      more = store_.tidy();
    } catch (const StoreError& failure) {
      error = failure.what();
      next_tidy_ = Steady::now() + kTidyBackOff;
    }
    lock.lock();
    status_.retention_error = std::move(error);
    return more;
  }

  void close_segment_if_due(Lock& lock) {
    if (!abandoned_ && !group_open_ && store_.segment_due()) {
      attempt(lock, [this] { store_.close_segment(); });
    }
  }

  void answer(Lock& lock, bool ok) {
    group_open_ = false;
    urgent_ = false;
    group_records_ = 0;
    std::vector<std::function<void(bool)>> callbacks;
    callbacks.swap(callbacks_);
    lock.unlock();
    for (const auto& callback : callbacks) {
      callback(ok);
    }
    lock.lock();
  }

  // Does `work` without the lock until it succeeds. False: the writer was told to stop and the time
  // for it is over.
  template <typename Work>
  bool attempt(Lock& lock, const Work& work) {
    auto back_off = kFirstBackOff;
    const auto started = Steady::now();
    while (true) {
      std::string error;
      bool busy = false;
      lock.unlock();
      try {
        work();
      } catch (const StoreError& failure) {
        error = failure.what();
        busy = failure.sqlite_code() == SQLITE_BUSY && Steady::now() - started < kLongestBusy;
      }
      lock.lock();
      if (error.empty()) {
        if (status_.failing) {
          status_.failing = false;
          new_events_.emplace_back("storage-recovered", error_details(status_.last_error));
        }
        return true;
      }
      if (past_stop(lock)) {
        status_.failing = true;
        status_.last_error = error;
        abandoned_ = true;
        return false;
      }
      if (busy) {
        continue;
      }
      status_.failing = true;
      status_.last_error = error;
      const auto until = Steady::now() + back_off;
      wake_.wait_until(lock, stopping_ ? std::min(until, stop_at_) : until,
                       [this] { return stopping_ && Steady::now() >= stop_at_; });
      back_off = std::min(back_off * 2, kLongestBackOff);
    }
  }

  void give_room(Lock& lock) {
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

  // Everything is committed, or the time to do it is over: then what is left is counted and
  // answered.
  void finish(Lock& lock) {
    if (abandoned_) {
      const std::uint64_t lost = group_records_ + queue_.size();
      status_.dropped += lost;
      if (lost > 0) {
        dropped_by_cause_["storage-failed"] += lost;
      }
      store_.drop_group();
      collect_side_work();
      answer(lock, false);
      std::deque<Item> left;
      left.swap(queue_);
      status_.queued_bytes = status_.queued_records = 0;
      lock.unlock();
      for (Item& item : left) {
        if (item.committed) {
          item.committed(false);
        }
        if (item.intent_committed) {
          item.intent_committed(0, false);
        }
      }
      lock.lock();
    }
    lock.unlock();
    try {
      // What was abandoned is told where there is room for a row: the store may be full, or the disk
      // answer again.
      store_.commit();
      store_.close();
    } catch (const StoreError& error) {
      const std::lock_guard relock(mutex_);
      status_.failing = true;
      status_.last_error = error.what();
    }
    lock.lock();
    finished_ = true;
    std::vector<std::function<void()>> rooms;
    rooms.swap(waiting_for_room_);
    lock.unlock();
    for (const auto& room : rooms) {
      room();
    }
  }

  const WriterOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Item> queue_;
  std::map<std::string, std::uint64_t> dropped_by_cause_;
  std::vector<std::pair<std::string, std::string>> new_events_;
  std::vector<std::function<void()>> waiting_for_room_;
  std::vector<Used> returned_;
  WriterStatus status_;
  Waiting waiting_ = Waiting::for_nothing;
  bool hurry_ = false;  // somebody waits for the commit of what is queued
  bool stopping_ = false;
  bool finished_ = false;
  Steady::time_point stop_at_;

  // The writer's thread only.
  Store store_;
  bool group_open_ = false;
  bool draining_ = false;  // the queue is being emptied into the group
  bool urgent_ = false;
  bool abandoned_ = false;
  Steady::time_point group_due_;
  Steady::time_point last_taken_;
  Steady::time_point next_tidy_;
  std::uint64_t group_records_ = 0;
  Used used_;
  std::vector<std::function<void(bool)>> callbacks_;

  std::mutex join_mutex_;
  std::thread thread_;  // last: everything above is there when it starts
};

Writer::Writer(WriterOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(options))) {}

Writer::~Writer() {
  stop();
}

Submitted Writer::submit(std::unique_ptr<PendingRecord>& pending, Committed committed,
                         IntentId intent) {
  return implementation_->submit(pending, std::move(committed), intent);
}

Submitted Writer::submit_intent(std::unique_ptr<PendingRecord>& pending,
                                IntentCommitted committed) {
  return implementation_->submit_intent(pending, std::move(committed));
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

WriterStatus Writer::status() const {
  return implementation_->status();
}

void Writer::stop(std::chrono::milliseconds limit) {
  implementation_->stop(limit);
}

}  // namespace invlog::storage

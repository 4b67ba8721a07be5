// What a Writer is made of: the queue, which any thread may fill, and the thread that empties it
// into the store. writer.cpp has the former, writer_loop.cpp the latter.
//
// Threads: `mutex_` guards what stands behind it; the last part belongs to the writer's thread
// alone. A function that takes a Lock is called with it held, and may let it go meanwhile. Errors:
// as Writer's.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "storage/store.h"
#include "storage/writer.h"

namespace invlog::storage {

// A group is committed when it holds this much, however little time has passed: it bounds what is
// kept for a retry.
inline constexpr std::uint64_t kGroupBytes = 4 << 20;
inline constexpr std::size_t kGroupRecords = 1024;

class Writer::Implementation {
 public:
  explicit Implementation(WriterOptions options);

  Submitted submit(std::unique_ptr<PendingRecord>& pending, Committed committed, IntentId intent);
  Submitted submit_intent(std::unique_ptr<PendingRecord>& pending, IntentId& intent,
                          Committed committed);
  void forget_intent(IntentId intent);
  void when_room(std::function<void()> room);
  void count_dropped(const char* why, std::uint64_t records);
  void record_event(std::string kind, std::string details);
  void set_retention(RetentionOptions retention);
  WriterStatus status() const;
  std::uint64_t heartbeat() const;
  void stop(std::chrono::milliseconds limit, const std::function<void()>& still_working);

 private:
  using Steady = std::chrono::steady_clock;
  struct Item {
    std::unique_ptr<PendingRecord> pending;  // null: `intent` is to be forgotten
    bool is_intent = false;
    Committed committed;
    IntentId intent = 0;  // this one's, or the one that this record finishes
    std::size_t bytes = 0;
    bool on_record = false;  // the intent that this record finishes is in the file
    Steady::time_point submitted_at;
  };
  // What is left of a record that was taken into the group.
  struct Used {
    std::unique_ptr<PendingRecord> pending;
    Store::BodyBytes bodies;
  };
  // For the commit of the group.
  struct Waiter {
    Committed committed;
    bool for_intent = false;
  };
  using Lock = std::unique_lock<std::mutex>;
  enum class Waiting { for_nothing, for_work, for_due };

  Submitted enqueue(std::unique_ptr<PendingRecord>& pending, Item item);
  void append(Lock& lock, Item item);
  bool enough_collected() const;
  bool past_stop() const { return stopping_ && Steady::now() >= stop_at_; }
  // The file system has not answered for too long.
  bool hangs() const {
    return attempt_began_ && Steady::now() - *attempt_began_ > options_.longest_attempt;
  }
  bool failing() const { return status_.failing || hangs(); }

  std::unique_ptr<Store> open_or_later();
  std::unique_ptr<Store> open();
  bool open_at_last(Lock& lock);
  void run();
  void beat() { beats_.fetch_add(1, std::memory_order_relaxed); }
  bool group_is_due() const { return Steady::now() >= group_due_; }
  bool has_side_work() const {
    return !dropped_by_cause_.empty() || !new_events_.empty() || lost_events_ > 0;
  }
  // While the lock was given up: whoever came then saw no reason to wake this thread.
  bool nothing_came() const {
    return queue_.empty() && waiting_for_room_.empty() && !has_side_work() && !stopping_;
  }
  void wait(Lock& lock);
  void open_group(Steady::time_point first);
  void take_one(Lock& lock);
  void process(Item& item);
  std::uint64_t take_stored_intent(const Item& item);
  void collect_side_work();
  void commit(Lock& lock);
  bool tidy(Lock& lock);
  bool new_retention_due() const {
    return store_ && new_retention_ && Steady::now() >= retention_due_;
  }
  void take_new_retention(Lock& lock);
  void restore_if_gone(Lock& lock);
  void close_segment_if_due(Lock& lock);
  void close_segment_if_asked(Lock& lock);
  void answer(Lock& lock, bool ok);
  bool refuse_intents(Lock& lock);
  static void tell(Lock& lock, const std::vector<Waiter>& waiters, bool ok);
  bool attempt(Lock& lock, const std::function<void()>& work);
  // Once: what came of it, and whether somebody else's transaction is why, or that there is no
  // room.
  struct Tried {
    std::string error;
    bool busy = false;
    bool full = false;
  };
  Tried try_once(Lock& lock, const std::function<void()>& work);
  // Stands around whatever touches the file: gives the lock up meanwhile, so that a disk that does
  // not answer holds up nobody but this thread, and lets hangs() see how long that takes.
  class AtTheFile {
   public:
    AtTheFile(Implementation& writer, Lock& lock) : writer_(writer), lock_(lock) {
      writer_.attempt_began_ = Steady::now();
      lock_.unlock();
    }
    ~AtTheFile() {
      lock_.lock();
      writer_.attempt_began_.reset();
      writer_.activity_.clear();
    }
    AtTheFile(const AtTheFile&) = delete;
    AtTheFile& operator=(const AtTheFile&) = delete;

   private:
    Implementation& writer_;
    Lock& lock_;
  };
  bool file_is_gone(Lock& lock);
  bool close_is_requested(Lock& lock);
  void pause(Lock& lock, std::chrono::milliseconds length);
  void give_room(Lock& lock);
  void finish(Lock& lock);
  void abandon(Lock& lock);

  const WriterOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable wake_, ended_;
  std::deque<Item> queue_;
  std::map<std::string, std::uint64_t> dropped_by_cause_;
  std::map<std::string, std::uint64_t> drops_in_group_;  // given to the store, not yet committed
  std::vector<std::pair<std::string, std::string>> new_events_;
  std::uint64_t lost_events_ = 0;
  std::unordered_set<IntentId> written_intents_;   // whose records are not in the group yet
  std::optional<RetentionOptions> new_retention_;  // not yet the store's
  std::vector<std::function<void()>> waiting_for_room_;
  std::vector<Used> returned_;
  IntentId last_intent_ = 0;
  WriterStatus status_;
  Waiting waiting_ = Waiting::for_nothing;
  bool hurry_ = false;  // somebody waits for the commit of what is queued
  bool stopping_ = false;
  bool finished_ = false;
  Steady::time_point stop_at_;
  std::optional<Steady::time_point> attempt_began_;
  std::string activity_;  // of an attempt that takes as long as the store is large

  std::atomic<std::uint64_t> beats_{0};
  // Of the group's records, those that a kill would lose, requests and all.
  std::atomic<std::uint64_t> group_at_risk_{0};

  // The writer's thread only. None: the disk has refused so far.
  std::unique_ptr<Store> store_;
  bool group_open_ = false;
  bool draining_ = false;  // the queue is being emptied into the group
  bool urgent_ = false;
  bool abandoned_ = false;
  Steady::time_point group_due_;
  Steady::time_point last_taken_;
  Steady::time_point next_tidy_;
  Steady::time_point retention_due_;  // when to try new_retention_
  std::uint64_t group_records_ = 0;
  std::vector<IntentId> group_intents_;
  std::unordered_map<IntentId, std::uint64_t> stored_intents_;  // the store's id of each
  Used used_;
  std::vector<Waiter> waiters_;

  std::mutex join_mutex_;
  std::thread thread_;  // last: everything above is there when it starts
};

}  // namespace invlog::storage

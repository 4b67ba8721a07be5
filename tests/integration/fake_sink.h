// A store that keeps records in memory and can be full, failing, or slow to commit, as the test
// says.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

#include "agent/capture/record_sink.h"

namespace invlog::test {

class FakeSink : public capture::RecordSink {
 public:
  storage::Submitted submit(std::unique_ptr<storage::PendingRecord>& pending,
                            storage::Writer::Committed committed,
                            storage::Writer::IntentId intent) override;
  storage::Submitted submit_intent(std::unique_ptr<storage::PendingRecord>& pending,
                                   storage::Writer::IntentId& intent,
                                   storage::Writer::Committed committed) override;
  void forget_intent(storage::Writer::IntentId intent) override;
  void when_room(std::function<void()> room) override;
  void count_dropped(const char* why, std::uint64_t records) override;
  void record_event(const char* kind, std::string details) override;
  bool failing() override;

  // The store has no room until set_full(false).
  void set_full(bool full);
  void set_failing(bool failing);
  // Commits wait for release_commits().
  void hold_commits();
  // Those that come from here on do not; those that wait go on waiting.
  void hold_no_more();
  void release_commits();

  // Waits until there are `count` records.
  std::vector<storage::Record> wait_for(std::size_t count);
  std::size_t records();
  std::vector<storage::Record> intents();
  std::vector<storage::Writer::IntentId> finished_intents();
  std::vector<std::string> dropped();  // each `why`
  std::vector<std::string> events();   // "kind details"
  std::size_t commits_waiting();

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<storage::Record> records_, intents_;
  std::vector<storage::Writer::IntentId> finished_intents_;
  std::vector<std::string> dropped_, events_;
  std::vector<std::function<void()>> waiting_commits_, waiting_room_;
  bool full_ = false, failing_ = false, holding_ = false;
};

}  // namespace invlog::test

// A storage::Writer as a RecordSink. Its status is asked for at most every 5 ms.
//
// Thread: the I/O thread. Ownership: the writer must outlive it.
#pragma once

#include <chrono>

#include "agent/capture/record_sink.h"

namespace invlog::capture {

class WriterSink : public RecordSink {
 public:
  explicit WriterSink(storage::Writer& writer) : writer_(writer) {}
  storage::Submitted submit(std::unique_ptr<storage::PendingRecord>& pending,
                            storage::Writer::Committed committed,
                            storage::Writer::IntentId intent) override {
    return writer_.submit(pending, std::move(committed), intent);
  }
  storage::Submitted submit_intent(std::unique_ptr<storage::PendingRecord>& pending,
                                   storage::Writer::IntentId& intent,
                                   storage::Writer::Committed committed) override {
    return writer_.submit_intent(pending, intent, std::move(committed));
  }
  void forget_intent(storage::Writer::IntentId intent) override { writer_.forget_intent(intent); }
  void when_room(std::function<void()> room) override { writer_.when_room(std::move(room)); }
  void count_dropped(const char* why, std::uint64_t records) override {
    writer_.count_dropped(why, records);
  }
  void record_event(const char* kind, std::string details) override {
    writer_.record_event(kind, std::move(details));
  }
  bool failing() override {
    const auto now = std::chrono::steady_clock::now();
    if (now - asked_at_ >= std::chrono::milliseconds(5)) {
      asked_at_ = now;
      failing_ = writer_.status().failing;
    }
    return failing_;
  }

 private:
  storage::Writer& writer_;
  std::chrono::steady_clock::time_point asked_at_;
  bool failing_ = false;
};

}  // namespace invlog::capture

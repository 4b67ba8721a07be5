// Where records go, as capture sees it: storage::Writer's functions, so that tests can stand in for
// the store.
//
// Threads: called on the I/O thread; callbacks may come on any thread, as storage/writer.h says.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/writer.h"

namespace invlog::capture {

class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual storage::Submitted submit(std::unique_ptr<storage::PendingRecord>& pending,
                                    storage::Writer::Committed committed,
                                    storage::Writer::IntentId intent) = 0;
  virtual storage::Submitted submit_intent(std::unique_ptr<storage::PendingRecord>& pending,
                                           storage::Writer::IntentId& intent,
                                           storage::Writer::Committed committed) = 0;
  virtual void forget_intent(storage::Writer::IntentId intent) = 0;
  virtual void when_room(std::function<void()> room) = 0;
  virtual void count_dropped(const char* why, std::uint64_t records) = 0;
  // A row in the store's `event` table: `kind` a short constant, `details` a JSON object's text.
  virtual void record_event(const char* kind, std::string details) = 0;
  // Whether the store's last commit failed. Called for every call: must be cheap.
  virtual bool failing() = 0;
};

}  // namespace invlog::capture

#include "agent/capture/storage_log.h"

#include <utility>

#include "exporters/log_fields.h"

namespace invlog::capture {
namespace {

constexpr std::chrono::minutes kSaidAgainAfter{1};
// Of what is as it should be.
constexpr std::chrono::hours kAgedSaidAgainAfter{1};

long long seconds_between(StorageLog::Time from, StorageLog::Time to) {
  return std::chrono::duration_cast<std::chrono::seconds>(to - from).count();
}

}  // namespace

void StorageLog::begins(const storage::WriterStatus& store, Time now) {
  since_ = said_ = now;
  const LogContext context({log_message::kStoreFailing, {}});
  spdlog::error("the store takes no records: {}", store.last_error);
}

void StorageLog::look(const storage::WriterStatus& store, Time now) {
  if (store.failing && !failing_) {
    begins(store, now);
  } else if (store.failing && now - said_ >= kSaidAgainAfter) {
    said_ = now;
    const LogContext context({log_message::kStoreFailing, {}});
    spdlog::error("the store takes no records since {} s, {} are lost and {} wait: {}",
                  seconds_between(since_, now), store.dropped - dropped_before_,
                  store.queued_records, store.last_error);
  } else if (failing_ && !store.failing) {
    const LogContext context({log_message::kStoreRecovered, {}});
    spdlog::info("the store takes records again, after {} s; {} were lost",
                 seconds_between(since_, now), store.dropped - dropped_before_);
  }
  failing_ = store.failing;
  if (!failing_) {  // what is lost from here on is what the next failure costs
    dropped_before_ = store.dropped;
  }
  if (!store.retention_error.empty() && store.retention_error != retention_error_) {
    const LogContext context({log_message::kRetentionFailing, {}});
    retention_.say(
        now, "old records could not be taken away, it is tried again: " + store.retention_error);
  }
  retention_error_ = store.retention_error;
  if (store.aged > aged_told_ && (!aged_said_ || now - *aged_said_ >= kAgedSaidAgainAfter)) {
    spdlog::info("{} records older than [retention] max_age were taken away",
                 store.aged - std::exchange(aged_told_, store.aged));
    aged_said_ = now;
  }
}

void StorageLog::end(const storage::WriterStatus& store, const std::string& status_problem) const {
  const std::uint64_t lost = store.dropped - dropped_before_;
  if (lost == 0 && store.untold_drops == 0)
    return;
  const LogContext context({log_message::kStoreFailing, {}});
  const std::string cause = store.last_error.empty() ? "" : " (" + store.last_error + ")";
  if (store.untold_drops == 0) {
    spdlog::error("{} records are lost{}; events of the kind \"dropped\" in the store say so", lost,
                  cause);
    return;
  }
  spdlog::error("{} records are lost, and the store took no row that says so{}: {}",
                store.untold_drops, cause,
                status_problem.empty() ? "the next start writes it"
                                       : "only this line does, since " + status_problem);
}

}  // namespace invlog::capture

#include "agent/delivery/identity_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "storage/delivery_ledger.h"
#include "storage/json_writer.h"
#include "storage/store_error.h"

namespace invlog::delivery {
namespace {

// OwnIdentity knows when an attempt is due; this is how often it is asked.
constexpr std::chrono::seconds kPoll{1};

}  // namespace

IdentityWatch::IdentityWatch(OwnIdentity& identity, Known known)
    : identity_(identity), known_(std::move(known)) {
  if (!identity_.endpoint().empty()) {
    thread_ = std::thread([this] { run(); });
  }
}

IdentityWatch::~IdentityWatch() {
  stop();
}

void IdentityWatch::stop() {
  {
    const std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void IdentityWatch::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const auto identity = identity_.ask();
    if (identity) {
      known_(*identity);
      return;
    }
    lock.lock();
    wake_.wait_for(lock, kPoll, [this] { return stopping_; });
  }
}

void pin_account(const std::string& store_path, const std::string& account_id) {
  try {
    const auto ledger = storage::DeliveryLedger::open(store_path);
    if (!ledger) {
      spdlog::warn("cannot note account {}: {}", account_id, ledger.error());
      return;
    }
    if (!(*ledger)->pin_account(account_id)) {
      spdlog::error(
          "the agent's credentials are of account {}, but {} belongs to another: correct the "
          "credentials, or use another state_dir",
          account_id, store_path);
      std::string details = "{";
      storage::append_json_member(details, "account_id", account_id);
      (*ledger)->add_event("account-mismatch", details + "}");
    }
  } catch (const storage::StoreError& error) {
    spdlog::warn("cannot note account {}: {}", account_id, error.what());
  }
}

}  // namespace invlog::delivery

#include "agent/delivery/identity_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "storage/delivery_ledger.h"
#include "storage/json_writer.h"
#include "storage/store_error.h"

namespace invlog::delivery {
namespace {

// OwnIdentity knows when an attempt is due; this is how often it is asked.
constexpr std::chrono::milliseconds kPoll{1000};

}  // namespace

IdentityWatch::IdentityWatch(OwnIdentity& identity, Known known,
                             std::shared_ptr<SigningKey> signing_key)
    : identity_(identity), known_(std::move(known)), signing_key_(std::move(signing_key)) {
  if (!identity_.endpoint().empty()) {
    thread_ = std::thread([this] { run(); });
  }
}

IdentityWatch::~IdentityWatch() {
  stop();
}

void IdentityWatch::stop() {
  stopping_ = true;
  signing_key_->wake();
  if (thread_.joinable()) {
    thread_.join();
  }
}

void IdentityWatch::run() {
  std::string told;  // whose answer; "" nobody's
  while (!stopping_) {
    const std::string in_use = signing_key_->in_use();
    const auto identity = identity_.ask(in_use);
    if (identity && identity->access_key_id != told) {
      known_(*identity);
      told = identity->access_key_id;
    }
    const bool settled = identity && (in_use.empty() || identity->access_key_id == in_use);
    signing_key_->wait_for_another(in_use, stopping_,
                                   settled ? std::nullopt : std::optional(kPoll));
  }
}

std::string pin_account(const std::string& store_path, const std::string& account_id) {
  std::string problem;
  try {
    const auto ledger = storage::DeliveryLedger::open(store_path);
    if (!ledger) {
      spdlog::warn("cannot note account {}: {}", account_id, ledger.error());
      return problem;
    }
    if (!(*ledger)->pin_account(account_id)) {
      problem = "the agent's credentials are of account " + account_id + ", but " + store_path +
                " belongs to another: correct the credentials, or use another state_dir";
      spdlog::error("{}", problem);
      std::string details = "{";
      storage::append_json_member(details, "account_id", account_id);
      (*ledger)->add_event("account-mismatch", details + "}");
    }
  } catch (const storage::StoreError& error) {
    spdlog::warn("cannot note account {}: {}", account_id, error.what());
  }
  return problem;
}

}  // namespace invlog::delivery

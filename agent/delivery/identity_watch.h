// Asks who the agent is until AWS has said so, and again whenever it signs with another key:
// records of calls that the agent signs carry that identity, and the store is pinned to its
// account.
//
// Threads: one of its own, on which `known` is called; construction and stop() belong to one
// thread. Ownership: the identity must outlive it. Errors: OwnIdentity keeps and logs them; here
// they only mean another attempt.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "agent/delivery/own_identity.h"
#include "agent/delivery/signing_key.h"

namespace invlog::delivery {

class IdentityWatch {
 public:
  using Known = std::function<void(const aws::CallerIdentity&)>;

  // Starts no thread where STS may not be asked. `signing_key` is not null.
  IdentityWatch(OwnIdentity& identity, Known known, std::shared_ptr<SigningKey> signing_key);
  ~IdentityWatch();  // stop()
  IdentityWatch(const IdentityWatch&) = delete;
  IdentityWatch& operator=(const IdentityWatch&) = delete;

  // Returns when the thread is gone; a call under way ends by its HTTP client's `cancelled`.
  void stop();

 private:
  void run();

  OwnIdentity& identity_;
  const Known known_;
  const std::shared_ptr<SigningKey> signing_key_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Pins the store to the account that is now known; what stands in the way is logged. Why the agent
// should not go on with these credentials, which is an event row, too: the store belongs to another
// account; "" it may.
std::string pin_account(const std::string& store_path, const std::string& account_id);

}  // namespace invlog::delivery

// Which of the agent's own keys calls are signed with now, so that whoever finds out whose it is
// need not ask before another one comes (a role's keys change each hour, and an administrator may
// have put another role in their place).
//
// Threads: any. Ownership: shared by who signs and who asks. Errors: none.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>

namespace invlog::delivery {

class SigningKey {
 public:
  // The access key id of a call that is being signed; never the secret.
  void use(const std::string& access_key_id);
  // "" before the first call.
  std::string in_use() const;
  // Until another one than `known` is in use, `stopping` is set (wake() tells), or `at_most` is
  // over.
  void wait_for_another(const std::string& known, const std::atomic<bool>& stopping,
                        std::optional<std::chrono::milliseconds> at_most);
  void wake();

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::string access_key_id_;
};

}  // namespace invlog::delivery

#include "agent/delivery/signing_key.h"

namespace invlog::delivery {

void SigningKey::use(const std::string& access_key_id) {
  const std::lock_guard guard(mutex_);
  if (access_key_id_ != access_key_id) {
    access_key_id_ = access_key_id;
    changed_.notify_all();
  }
}

std::string SigningKey::in_use() const {
  const std::lock_guard guard(mutex_);
  return access_key_id_;
}

void SigningKey::wait_for_another(const std::string& known, const std::atomic<bool>& stopping,
                                  std::optional<std::chrono::milliseconds> at_most) {
  std::unique_lock lock(mutex_);
  const auto over = [&] { return stopping || access_key_id_ != known; };
  if (at_most) {
    changed_.wait_for(lock, *at_most, over);
  } else {
    changed_.wait(lock, over);
  }
}

void SigningKey::wake() {
  const std::lock_guard guard(mutex_);
  changed_.notify_all();
}

}  // namespace invlog::delivery

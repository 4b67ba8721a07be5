#include "agent/delivery/replaceable_delivery.h"

#include <spdlog/spdlog.h>

#include <exception>
#include <utility>

namespace invlog::delivery {

ReplaceableDelivery::ReplaceableDelivery(Make make, const config::AgentConfig& configuration)
    : make_(std::move(make)), service_(make_(configuration)) {}

ReplaceableDelivery::~ReplaceableDelivery() {
  stop(std::chrono::milliseconds(0));
}

void ReplaceableDelivery::start(IdentityWatch::Known known,
                                std::shared_ptr<SigningKey> signing_key) {
  known_ = std::move(known);
  signing_key_ = std::move(signing_key);
  service_->start(known_, signing_key_);
}

void ReplaceableDelivery::replace(const config::AgentConfig& configuration) {
  const std::lock_guard lock(mutex_);
  if (stopping_) {
    return;
  }
  wanted_ = configuration;
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
  }
  wake_.notify_one();
}

void ReplaceableDelivery::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || wanted_; });
    if (stopping_) {
      return;
    }
    const config::AgentConfig configuration = std::move(*wanted_);
    wanted_.reset();
    lock.unlock();
    make_another(configuration);
    lock.lock();
  }
}

void ReplaceableDelivery::make_another(const config::AgentConfig& configuration) {
  try {
    if (service_) {
      service_->stop(kReplaceLimit);
      service_.reset();
    }
    auto made = make_(configuration);
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      made->start(known_, signing_key_);
    }
    service_ = std::move(made);
  } catch (const std::exception& error) {
    spdlog::error("delivery could not begin with the new configuration: {}; restart the agent",
                  error.what());
  }
}

void ReplaceableDelivery::stop(std::chrono::milliseconds limit) {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  if (thread_.joinable()) {
    thread_.join();
  }
  if (service_) {
    service_->stop(limit);
    // Its readers of the store go with it: the writer closes the store as the last one, and folds
    // the write-ahead log in.
    service_.reset();
  }
}

}  // namespace invlog::delivery

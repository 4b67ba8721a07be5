// The agent's DeliveryService, and another one in its place when the configuration has changed.
//
// Why a thread of its own: the old service may be in the middle of an attempt, which is worth a
// moment, and nobody else should wait for it. Nothing is lost: what was not confirmed is sent by
// the new one, if it has that destination.
//
// Threads: construction and start() belong to one thread, before the rest; replace() and stop() are
// any's. Services are exchanged on a thread of this class's own. Ownership: as DeliveryService.
// Errors: a service that cannot be made is logged, and then nothing is delivered until the next
// replace() or a restart.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/config/agent_config.h"
#include "agent/delivery/delivery_service.h"

namespace invlog::delivery {

class ReplaceableDelivery {
 public:
  using Make = std::function<std::unique_ptr<DeliveryService>(const config::AgentConfig&)>;

  // Makes the first service at once; throws what `make` throws.
  ReplaceableDelivery(Make make, const config::AgentConfig& configuration);
  ~ReplaceableDelivery();  // stop(), with a limit of 0
  ReplaceableDelivery(const ReplaceableDelivery&) = delete;
  ReplaceableDelivery& operator=(const ReplaceableDelivery&) = delete;

  // As DeliveryService::start(); `known` is for each service that comes, on a thread of its own.
  void start(IdentityWatch::Known known = {}, std::shared_ptr<SigningKey> signing_key = {});
  // Returns at once; of several in a row only the last counts.
  void replace(const config::AgentConfig& configuration);
  // As DeliveryService::stop(), after a replacement under way, which takes kReplaceLimit at most.
  void stop(std::chrono::milliseconds limit);

  static constexpr std::chrono::milliseconds kReplaceLimit{4000};

 private:
  void run();
  void make_another(const config::AgentConfig& configuration);

  const Make make_;
  IdentityWatch::Known known_;
  std::shared_ptr<SigningKey> signing_key_;
  std::unique_ptr<DeliveryService> service_;  // while thread_ runs, that thread's
  std::mutex mutex_;
  std::condition_variable wake_;
  std::optional<config::AgentConfig> wanted_;  // guarded by mutex_
  bool stopping_ = false;                      // guarded by mutex_
  std::thread thread_;                         // begins under mutex_, unless stopping_
};

}  // namespace invlog::delivery

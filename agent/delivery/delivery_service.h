// Delivery inside the agent: a thread per configured destination, each running its Shipper on the
// store that the agent writes, and one that finds out who the agent is.
//
// Why stopping has two steps: an attempt under way is worth finishing, since a confirmed batch need
// not be sent again; but the agent must be gone within its limit, and an endpoint that answers
// slowly must not hold it. Nothing is lost either way: what is not confirmed is sent again at the
// next start.
//
// Threads: start() and stop() belong to one thread; what runs in between is its own. Ownership:
// owns threads, Shippers, destinations and HTTP clients; the credentials provider must outlive it.
// Errors: what fails is the Shippers' to log and to try again; start() throws std::system_error if
// the kernel gives no thread.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/config/agent_config.h"
#include "agent/delivery/destinations.h"
#include "agent/delivery/identity_watch.h"
#include "agent/delivery/own_identity.h"
#include "exporters/aws/credentials.h"
#include "exporters/shipper.h"

namespace invlog::delivery {

class DeliveryService {
 public:
  DeliveryService(const config::AgentConfig& configuration, aws::CredentialsProvider& credentials,
                  const aws::Environment& environment,
                  const DestinationFactory& factory = make_destinations);
  // Stops, with a limit of 0.
  ~DeliveryService();
  DeliveryService(const DeliveryService&) = delete;
  DeliveryService& operator=(const DeliveryService&) = delete;

  // The store must be there. `known` is called on a thread of the service when AWS has said who the
  // agent is, and again for each other key that `signing_key` has; both may be empty.
  void start(IdentityWatch::Known known = {}, std::shared_ptr<SigningKey> signing_key = {});
  // Attempts under way may go on for three quarters of `limit`; then they are cancelled. Returns
  // when the threads are gone.
  void stop(std::chrono::milliseconds limit);

  std::size_t destinations() const { return destinations_.size(); }

 private:
  void run(exporters::Shipper& shipper);

  std::atomic<bool> cancelled_{false};
  OwnIdentity identity_;
  std::vector<ConfiguredDestination> destinations_;
  std::vector<std::unique_ptr<exporters::Shipper>> shippers_;
  std::vector<std::thread> threads_;
  std::unique_ptr<IdentityWatch> identity_watch_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;  // threads; guarded by mutex_
};

}  // namespace invlog::delivery

#include "agent/delivery/delivery_service.h"

#include <spdlog/spdlog.h>

#include <utility>

#include "agent/delivery/aws_access.h"

namespace invlog::delivery {

DeliveryService::DeliveryService(const config::AgentConfig& configuration,
                                 aws::CredentialsProvider& credentials,
                                 const aws::Environment& environment,
                                 const DestinationFactory& factory)
    : identity_(configuration, credentials, environment, &cancelled_),
      destinations_(factory(configuration, {credentials, environment, host_name(), &cancelled_})) {
  for (const ConfiguredDestination& each : destinations_) {
    exporters::ShipperOptions options = shipper_options(configuration, each);
    options.account_id = [this] { return identity_.account_id(); };
    shippers_.push_back(
        std::make_unique<exporters::Shipper>(std::move(options), *each.destination));
  }
}

DeliveryService::~DeliveryService() {
  stop(std::chrono::milliseconds(0));
}

void DeliveryService::start(IdentityWatch::Known known, std::shared_ptr<SigningKey> signing_key) {
  if (known) {
    identity_watch_ = std::make_unique<IdentityWatch>(
        identity_, std::move(known),
        signing_key ? std::move(signing_key) : std::make_shared<SigningKey>());
  }
  for (std::size_t at = 0; at < shippers_.size(); ++at) {
    exporters::Destination& destination = *destinations_[at].destination;
    spdlog::info("delivering to {}: {}", destination.name(), destination.target());
    {
      const std::lock_guard guard(mutex_);
      ++running_;
    }
    threads_.emplace_back([this, shipper = shippers_[at].get()] { run(*shipper); });
  }
}

void DeliveryService::run(exporters::Shipper& shipper) {
  shipper.run();
  {
    const std::lock_guard guard(mutex_);
    --running_;
  }
  ended_.notify_all();
}

void DeliveryService::stop(std::chrono::milliseconds limit) {
  for (const auto& shipper : shippers_) {
    shipper->stop();
  }
  {
    std::unique_lock lock(mutex_);
    if (!ended_.wait_for(lock, limit * 3 / 4, [this] { return running_ == 0; })) {
      spdlog::warn(
          "delivery: an attempt under way was cancelled; it is made again at the next start");
    }
  }
  cancelled_ = true;
  for (std::thread& thread : threads_) {
    thread.join();
  }
  threads_.clear();
  identity_watch_.reset();
}

}  // namespace invlog::delivery

// One seed's life of a store that two destinations are fed from: faults at every call, kills, locks
// held by others, late records, retention, retries of dead letters. What must hold is looked at
// after every step; at the end, with no more faults, everything must have got where it belongs.
//
// Threads: one. Errors: ModelBroken says which promise does not hold.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "exporters/shipper.h"
#include "storage/file_lock.h"
#include "tests/unit/exporters/model/fault_source.h"
#include "tests/unit/exporters/model/model_service.h"
#include "tests/unit/exporters/model/model_store.h"

namespace invlog::exporters {

class ModelBroken : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

class DeliveryModel {
 public:
  explicit DeliveryModel(std::uint64_t seed);

  void run();
  const FaultSource& faults() const { return faults_; }

 private:
  struct Side {
    std::string name;
    std::unique_ptr<ModelService> service;
    std::unique_ptr<Destination> destination;  // before the shipper, which refers to it
    std::unique_ptr<Shipper> shipper;
    std::int64_t checked = 0;  // cursor as of the last look
  };

  void add(std::unique_ptr<ModelService> service);
  void turn(Side& side);
  void start(Side& side);
  void kill(Side& side);
  void disturb();
  void finish(Side& side);
  bool wait(Side& side, std::chrono::milliseconds duration);
  void look(Side& side);
  std::set<std::int64_t> dead_letters(const Side& side);

  FaultSource faults_;
  const StoreTemplate& origin_;
  ModelStore store_;
  std::vector<Side> sides_;
  std::unique_ptr<storage::FileLock> lock_;  // somebody else's
  std::int64_t now_us_ = kModelNow;
  int waits_left_ = 0;
};

}  // namespace invlog::exporters

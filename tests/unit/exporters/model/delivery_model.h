// One seed's life of a store that two destinations are fed from: faults at every call, kills, locks
// held by others, late records, retention, retries of dead letters. What must hold is looked at
// before every call and every wait and after every end of the process; at the end, with no more
// faults, everything must have got where it belongs.
//
// With real kills each process is a forked child, which ends by kill -9 or of itself; the store's
// file and the services' journal are all that is left of it.
//
// Threads: one, and no other in the process, since it forks. Errors: ModelBroken says which promise
// does not hold; std::runtime_error if the model itself cannot go on.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "exporters/shipper.h"
#include "storage/file_lock.h"
#include "tests/unit/exporters/model/fault_source.h"
#include "tests/unit/exporters/model/model_service.h"
#include "tests/unit/exporters/model/model_store.h"
#include "tests/unit/exporters/model/model_time.h"

namespace invlog::exporters {

// No std::exception: a Shipper would take that for a fault of its own and go on.
struct ModelBroken {
  std::string why;
};

class DeliveryModel {
 public:
  enum class Kills { thrown, real };

  DeliveryModel(std::uint64_t seed, Kills kills);

  void run();

  struct Counts {
    std::uint64_t faults = 0, kills = 0;  // without those in children's lives
    std::uint64_t looks = 0;
    std::uint64_t dead_letters = 0, copies = 0;  // at the end
  };
  Counts counts() const;

 private:
  struct Side {
    std::string name;
    std::unique_ptr<ModelService> service;
    std::unique_ptr<Destination> destination;  // before the shipper, which refers to it
    std::unique_ptr<Shipper> shipper;
    std::int64_t checked = 0;  // cursor as of the last look
  };

  void add(std::unique_ptr<ModelService> service);
  Side& any_side() {
    return sides_[static_cast<std::size_t>(faults_.below(static_cast<int>(sides_.size())))];
  }
  void process(Side& side);
  void process_in_child(Side& side);
  [[noreturn]] void live_as_child(Side& side, std::uint64_t seed, const std::string& journal,
                                  int report);
  void live(Side& side);
  void start(Side& side);
  void kill(Side& side);
  void disturb();
  void retain();
  void finish(Side& side);
  void drain(Side& side);
  void judge(Side& side);
  void mend();

  void called(Side& side);
  bool wait(Side& side, std::chrono::milliseconds duration);
  void look(Side& side);
  DeadReasons dead_letters(const Side& side);

  const Kills kills_;
  FaultSource faults_;
  const StoreTemplate& origin_;
  ModelStore store_;
  ModelTime time_;
  std::vector<Side> sides_;
  std::unique_ptr<storage::FileLock> lock_;  // somebody else's
  int waits_left_ = 0;
  Counts counts_;
};

}  // namespace invlog::exporters

#include "tests/unit/exporters/model/delivery_model.h"

#include <limits>

#include "storage/delivery_ledger.h"

namespace invlog::exporters {

using std::chrono::milliseconds;

DeliveryModel::DeliveryModel(std::uint64_t seed)
    : faults_(seed),
      origin_(store_templates()[static_cast<std::size_t>(faults_.below(3))]),
      store_(origin_, faults_.below(static_cast<int>(origin_.records))) {
  add(std::make_unique<ModelS3>(faults_));
}

void DeliveryModel::add(std::unique_ptr<ModelService> service) {
  Side side;
  side.name = service->connect()->name();
  side.service = std::move(service);
  sides_.push_back(std::move(side));
}

void DeliveryModel::run() {
  const int rounds = 6 + faults_.below(12);
  for (int round = 0; round < rounds; ++round) {
    turn(sides_[static_cast<std::size_t>(faults_.below(static_cast<int>(sides_.size())))]);
    disturb();
  }
  faults_.quiet();
  lock_.reset();
  store_.show(origin_.records);
  for (Side& side : sides_) {
    finish(side);
  }
}

void DeliveryModel::turn(Side& side) {
  try {
    start(side);
    waits_left_ = 1 + faults_.below(15);
    if (faults_.below(4) == 0) {
      static_cast<void>(side.shipper->drain({}, std::chrono::minutes(5)));
    } else {
      side.shipper->run();
    }
    if (faults_.below(4) == 0) {
      kill(side);  // between two turns, or an orderly end: it is the same
    }
  } catch (const Kill&) {
    kill(side);
  }
  look(side);
}

void DeliveryModel::start(Side& side) {
  if (side.shipper) {
    return;
  }
  ShipperOptions options;
  options.store_path = store_.path();
  options.batch_age = milliseconds(2000);
  options.clock = [this] {
    faults_.may_kill(0.02);
    return now_us_;
  };
  options.random = [this] { return faults_.fraction(); };
  options.wait = [this, &side](milliseconds duration) { return wait(side, duration); };
  side.destination = side.service->connect();
  side.shipper = std::make_unique<Shipper>(std::move(options), *side.destination);
}

void DeliveryModel::kill(Side& side) {
  side.shipper.reset();
  side.destination.reset();
}

bool DeliveryModel::wait(Side& side, milliseconds duration) {
  if (duration.count() <= 0 || duration > std::chrono::minutes(5)) {
    throw ModelBroken(side.name + " waits " + std::to_string(duration.count()) + " ms");
  }
  look(side);
  faults_.may_kill(0.1);
  now_us_ += duration.count() * 1000;
  if (faults_.strikes(0.2)) {
    now_us_ += (faults_.below(3) - 1) * std::int64_t{3'600'000'000};  // the host's clock is set
  }
  if (lock_) {
    if (faults_.below(3) == 0) {
      lock_.reset();
    }
  } else if (faults_.strikes(0.5)) {
    lock_ = storage::try_delivery_lock(store_.path(), side.name);
    if (!lock_) {
      throw ModelBroken(side.name + " waits with the lock held");
    }
  }
  return --waits_left_ > 0;
}

// What happens beside delivery.
void DeliveryModel::disturb() {
  lock_.reset();
  if (faults_.below(2) == 0) {
    store_.show(std::min(origin_.records, store_.shown() + 1 + faults_.below(15)));
  }
  if (faults_.below(8) == 0 && store_.shown() > 5) {
    const std::int64_t first = 1 + faults_.below(static_cast<int>(store_.shown()) - 2);
    store_.remove(first, std::min(store_.shown() - 1, first + faults_.below(4)));
  }
  if (faults_.below(4) == 0 &&
      store_.number("SELECT count(*) FROM sqlite_schema WHERE name = 'dead_letter'") > 0) {
    store_.execute("UPDATE dead_letter SET retry = 1 WHERE id % 3 = " +
                   std::to_string(faults_.below(3)));
  }
}

void DeliveryModel::finish(Side& side) {
  if (faults_.below(2) == 0) {
    kill(side);
  }
  start(side);
  waits_left_ = std::numeric_limits<int>::max();
  const auto drained = side.shipper->drain({}, std::chrono::hours(2));
  if (!drained) {
    throw ModelBroken(side.name + " does not drain: " + drained.error());
  }
  look(side);
  if (store_.number("SELECT cursor FROM delivery WHERE destination = '" + side.name + "'") !=
      origin_.records) {
    throw ModelBroken(side.name + ": the cursor is not at the end");
  }
  if (std::string wrong = side.service->verdict(store_, dead_letters(side)); !wrong.empty()) {
    throw ModelBroken(wrong);
  }
}

// The cursor is never ahead of what is there or accounted for.
void DeliveryModel::look(Side& side) {
  if (!side.service->trouble.empty()) {
    throw ModelBroken(side.service->trouble);
  }
  if (store_.number("SELECT count(*) FROM sqlite_schema WHERE name = 'delivery'") == 0) {
    return;
  }
  const std::string where = " FROM delivery WHERE destination = '" + side.name + "'";
  const std::int64_t cursor = store_.number("SELECT cursor" + where);
  const std::int64_t planned = store_.number("SELECT planned_last" + where);
  if (cursor < side.checked || (planned != 0 && planned <= cursor)) {
    throw ModelBroken(side.name + ": cursor " + std::to_string(cursor) + " after " +
                      std::to_string(side.checked) + ", plan to " + std::to_string(planned));
  }
  if (cursor == side.checked) {
    return;
  }
  const std::set<std::int64_t> dead = dead_letters(side);
  for (std::int64_t id = side.checked + 1; id <= cursor; ++id) {
    if (side.service->copies(id) == 0 && dead.count(id) == 0 && !store_.was_removed(id)) {
      throw ModelBroken(side.name + ": the cursor is at " + std::to_string(cursor) +
                        ", but record " + std::to_string(id) + " is nowhere");
    }
  }
  side.checked = cursor;
}

std::set<std::int64_t> DeliveryModel::dead_letters(const Side& side) {
  std::set<std::int64_t> records;
  std::int64_t record = 0;
  const auto next = [&] {
    return store_.number("SELECT coalesce(min(record), 0) FROM dead_letter WHERE destination = '" +
                         side.name + "' AND record > " + std::to_string(record));
  };
  while ((record = next()) != 0) {
    records.insert(record);
  }
  return records;
}

}  // namespace invlog::exporters

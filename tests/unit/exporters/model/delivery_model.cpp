#include "tests/unit/exporters/model/delivery_model.h"

#include <spdlog/spdlog.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <exception>
#include <filesystem>
#include <iterator>
#include <limits>

#include "storage/delivery_ledger.h"
#include "tests/unit/exporters/model/model_logs.h"
#include "tests/unit/exporters/model/model_s3.h"

namespace invlog::exporters {
namespace {

using std::chrono::milliseconds;

// One of the templates; the one with the huge records seldom, since they take long.
const StoreTemplate& some_template(FaultSource& faults) {
  constexpr std::size_t kChoice[] = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3};
  return store_templates()[kChoice[faults.below(static_cast<int>(std::size(kChoice)))]];
}

// Calls that may fail one after the other without a wait: the search for one poisoned record among
// forty, and once more each with other credentials or without gzip.
constexpr int kMostFailuresInARow = 30;
constexpr std::int64_t kHourUs = 3'600'000'000;

[[noreturn]] void end_child(int report, const std::string& broken) {
  constexpr int kBrokenCode = 3;
  ::_exit(::write(report, broken.data(), broken.size()) < 0 ? kBrokenCode + 1 : kBrokenCode);
}

}  // namespace

DeliveryModel::DeliveryModel(std::uint64_t seed, Kills kills)
    : kills_(kills),
      faults_(seed),
      origin_(some_template(faults_)),
      store_(origin_, faults_.below(static_cast<int>(origin_.records))) {
  add(std::make_unique<ModelS3>(faults_, time_));
  add(std::make_unique<ModelLogs>(faults_, time_, origin_));
  for (Side& side : sides_) {
    side.service->on_call = [this, &side] { called(side); };
  }
}

void DeliveryModel::add(std::unique_ptr<ModelService> service) {
  Side side;
  side.name = service->connect()->name();
  side.service = std::move(service);
  sides_.push_back(std::move(side));
}

DeliveryModel::Counts DeliveryModel::counts() const {
  Counts counts = counts_;
  counts.faults = faults_.faults;
  counts.kills += faults_.kills;
  return counts;
}

void DeliveryModel::run() {
  for (int round = 5 + faults_.below(9); round > 0; --round) {
    process(any_side());
    disturb();
  }
  faults_.quiet();
  store_.show(origin_.records);
  for (Side& side : sides_) {
    finish(side);
  }
  if (!origin_.mendable.empty()) {
    mend();
  }
}

// A while of one process's life, perhaps to its end.
void DeliveryModel::process(Side& side) {
  if (kills_ == Kills::real) {
    process_in_child(side);
  } else {
    try {
      live(side);
      if (faults_.below(4) == 0) {
        kill(side);  // between two turns, or an orderly end: it is the same
      }
    } catch (const Kill&) {
      kill(side);
    }
  }
  lock_.reset();
  look(side);
}

void DeliveryModel::process_in_child(Side& side) {
  const std::string journal = store_.directory() / "journal";
  std::filesystem::remove(journal);
  store_.disconnect();
  kill(side);
  const std::uint64_t seed = faults_.draw();
  int report[2] = {};
  if (::pipe(report) != 0) {
    throw std::runtime_error("no pipe");
  }
  const pid_t child = ::fork();
  if (child == 0) {
    live_as_child(side, seed, journal, report[1]);
  }
  ::close(report[1]);
  std::string broken;
  char text[4096];
  for (ssize_t got = 0; (got = ::read(report[0], text, sizeof text)) > 0;) {
    broken.append(text, static_cast<std::size_t>(got));
  }
  ::close(report[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child) {
    throw std::runtime_error("no child");
  }
  const bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
  counts_.kills += killed ? 1 : 0;
  if (!broken.empty() || (!killed && status != 0)) {
    throw ModelBroken{"in a child: " + broken + " (status " + std::to_string(status) + ")"};
  }
  side.service->replay(journal);
}

// The seed is the child's own: what the parent draws after its death is not what it drew.
void DeliveryModel::live_as_child(Side& side, std::uint64_t seed, const std::string& journal,
                                  int report) {
  try {
    faults_.become_child(seed);
    side.service->keep_journal(journal);
    live(side);
    ::_exit(0);
  } catch (const ModelBroken& broken) {
    end_child(report, broken.why);
  } catch (const std::exception& error) {
    end_child(report, error.what());
  }
}

void DeliveryModel::live(Side& side) {
  start(side);
  waits_left_ = 1 + faults_.below(15);
  side.service->failures = 0;
  side.service->quiet_until_us = 0;  // the one before may have been told to stop
  if (faults_.below(4) == 0) {
    static_cast<void>(side.shipper->drain({}, std::chrono::minutes(5)));
  } else {
    side.shipper->run();
  }
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
    return time_.host_us();
  };
  options.steady = [this] {
    faults_.may_kill(0.02);
    return std::chrono::steady_clock::time_point(std::chrono::microseconds(time_.service_us));
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

void DeliveryModel::called(Side& side) {
  look(side);
  if (side.service->failures > kMostFailuresInARow) {
    throw ModelBroken{side.name + " calls on and on without a wait"};
  }
}

bool DeliveryModel::wait(Side& side, milliseconds duration) {
  ModelService& service = *side.service;
  const milliseconds longest = std::max(milliseconds(60000), service.retry_after);
  if (duration.count() <= 0 || duration > longest) {
    throw ModelBroken{side.name + " waits " + std::to_string(duration.count()) + " ms"};
  }
  spdlog::info("[{}] {} waits {} ms", time_.service_us / 1'000'000, side.name, duration.count());
  look(side);
  faults_.may_kill(0.1);
  service.failures = 0;
  time_.service_us += duration.count() * 1000;
  if (faults_.strikes(0.2)) {
    time_.host_ahead_us = (faults_.below(3) - 1) * kHourUs;  // the host's clock is set
  }
  if (lock_) {
    if (faults_.below(3) == 0) {
      lock_.reset();
    }
  } else if (faults_.strikes(0.5)) {
    lock_ = storage::try_delivery_lock(store_.path(), side.name);
    if (!lock_) {
      throw ModelBroken{side.name + " waits with the lock held"};
    }
  }
  return --waits_left_ > 0;
}

// What happens beside delivery.
void DeliveryModel::disturb() {
  if (faults_.below(2) == 0) {
    store_.show(std::min(origin_.records, store_.shown() + 1 + faults_.below(15)));
  }
  if (faults_.below(10) == 0 && store_.shown() > 5) {
    retain();
  }
  if (faults_.below(4) == 0 && store_.has_ledger()) {
    store_.execute("UPDATE dead_letter SET retry = 1 WHERE id % 3 = " +
                   std::to_string(faults_.below(3)));
  }
}

// As the agent's own retention would, it has nothing of a batch in memory while it looks.
void DeliveryModel::retain() {
  for (Side& side : sides_) {
    kill(side);
  }
  const std::int64_t first = 1 + faults_.below(static_cast<int>(store_.shown()) - 2);
  store_.remove(first, std::min(store_.shown() - 1, first + faults_.below(4)));
}

void DeliveryModel::finish(Side& side) {
  if (faults_.below(2) == 0) {
    kill(side);
  }
  drain(side);
  if (store_.number("SELECT cursor FROM delivery WHERE destination = '" + side.name + "'") !=
      origin_.records) {
    throw ModelBroken{side.name + ": the cursor is not at the end"};
  }
  judge(side);
}

void DeliveryModel::drain(Side& side) {
  start(side);
  waits_left_ = std::numeric_limits<int>::max();
  side.service->failures = 0;
  side.service->quiet_until_us = 0;
  // It gives up where it suspects the configuration, and finds out when it is asked again.
  std::string error = "not tried";
  for (int tries = 0; tries < 4 && !error.empty(); ++tries) {
    error = side.shipper->drain({}, std::chrono::hours(2)).error;
  }
  if (!error.empty()) {
    throw ModelBroken{side.name + " does not drain: " + error};
  }
  look(side);
}

void DeliveryModel::judge(Side& side) {
  const DeadReasons dead = dead_letters(side);
  counts_.dead_letters += dead.size();
  for (std::int64_t id = 1; id <= origin_.records; ++id) {
    counts_.copies += static_cast<std::uint64_t>(side.service->copies(id));
  }
  if (std::string wrong = side.service->verdict(store_, dead); !wrong.empty()) {
    throw ModelBroken{wrong};
  }
}

// Damage is undone, and what died of it is asked for again: that, too, arrives once.
void DeliveryModel::mend() {
  for (Side& side : sides_) {
    kill(side);
    side.service->keep_configuration();  // an attempt at dead letters has no plan that would
  }
  store_.mend();
  store_.execute("UPDATE dead_letter SET retry = 1");
  faults_.go_on();
  for (int round = 2 + faults_.below(3); round > 0; --round) {
    process(any_side());
  }
  faults_.quiet();
  store_.execute("UPDATE dead_letter SET retry = 1");
  for (Side& side : sides_) {
    drain(side);
    judge(side);
  }
}

// The cursor is never ahead of what is there or accounted for.
void DeliveryModel::look(Side& side) {
  ++counts_.looks;
  if (!side.service->trouble.empty()) {
    throw ModelBroken{side.service->trouble};
  }
  if (!store_.has_ledger()) {
    return;
  }
  std::int64_t cursor = 0, planned = 0;
  store_.each("SELECT cursor, planned_last FROM delivery WHERE destination = '" + side.name + "'",
              [&](std::int64_t first, const std::string& second) {
                cursor = first;
                planned = std::stoll(second);
              });
  if (cursor < side.checked || (planned != 0 && planned <= cursor)) {
    throw ModelBroken{side.name + ": cursor " + std::to_string(cursor) + " after " +
                      std::to_string(side.checked) + ", plan to " + std::to_string(planned)};
  }
  if (cursor == side.checked) {
    return;
  }
  side.service->failures = 0;
  const DeadReasons dead = dead_letters(side);
  for (std::int64_t id = side.checked + 1; id <= cursor; ++id) {
    if (side.service->copies(id) == 0 && dead.count(id) == 0 && !store_.was_removed(id)) {
      throw ModelBroken{side.name + ": the cursor is at " + std::to_string(cursor) +
                        ", but record " + std::to_string(id) + " is nowhere"};
    }
  }
  side.checked = cursor;
}

DeadReasons DeliveryModel::dead_letters(const Side& side) {
  DeadReasons reasons;
  store_.each(
      "SELECT record, reason FROM dead_letter WHERE destination = '" + side.name + "'",
      [&reasons](std::int64_t record, const std::string& reason) { reasons[record] = reason; });
  return reasons;
}

}  // namespace invlog::exporters

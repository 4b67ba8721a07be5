#include "agent/cli/ship_command.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "agent/cli/display_text.h"
#include "agent/cli/stop_signals.h"
#include "agent/cli/terminal.h"
#include "agent/cli/text_table.h"
#include "agent/cli/waiting_notice.h"
#include "agent/delivery/own_identity.h"
#include "exporters/shipper.h"
#include "storage/delivery_ledger.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

using delivery::ConfiguredDestination;
using exporters::DrainProgress;
using exporters::DrainResult;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::milliseconds kRedraw{200};

// One destination being drained.
struct Lane {
  std::atomic<bool> cancelled{false};  // the attempt under way
  ConfiguredDestination configured;
  std::unique_ptr<exporters::Shipper> shipper;
  DrainProgress progress;             // guarded by Ship::mutex_
  SteadyTime success{};               // the last one, else the start; guarded by it, too
  std::optional<DrainResult> result;  // guarded by it, too
  std::chrono::duration<double> took{0};
  WaitingNotice notice;
};

class Ship {
 public:
  Ship(const ShipOptions& options, const DeliveryAccess& access)
      : options_(options),
        credentials_(options.world.make_credentials(access.configuration, options.world.environment,
                                                    &cancelled_)),
        identity_(access.configuration, *credentials_, options.world.environment, &cancelled_,
                  options.world.make_http_client(access.configuration.aws,
                                                 options.world.environment, &cancelled_)) {
    const auto make = [&](const std::atomic<bool>& cancelled) {
      return options.world.make_destinations(
          access.configuration,
          {*credentials_, options.world.environment, delivery::host_name(), &cancelled});
    };
    const std::size_t count = make(cancelled_).size();
    for (std::size_t number = 0; number < count; ++number) {
      auto lane = std::make_unique<Lane>();
      lane->configured = std::move(make(lane->cancelled)[number]);
      exporters::Destination& destination = *lane->configured.destination;
      if (!options.destination.empty() && destination.name() != options.destination) {
        continue;
      }
      exporters::ShipperOptions shipper = shipper_options(access.configuration, lane->configured);
      shipper.store_path = access.store_path;
      shipper.account_id = [this] { return identity_.account_id(); };
      lane->shipper = std::make_unique<exporters::Shipper>(std::move(shipper), destination);
      lanes_.push_back(std::move(lane));
    }
  }

  void run(std::ostream& err) {
    const StopSignals signals([this](int count) {
      for (const auto& lane : lanes_) {
        lane->shipper->stop();
      }
      if (count > 1) {
        cancel_all();
      }
    });
    std::vector<std::thread> threads;
    for (const auto& lane : lanes_) {
      lane->success = std::chrono::steady_clock::now();
    }
    for (const auto& lane : lanes_) {
      threads.emplace_back([this, lane = lane.get()] { drain(*lane); });
    }
    show_progress(err);
    for (std::thread& thread : threads) {
      thread.join();
    }
  }

  const std::vector<std::unique_ptr<Lane>>& lanes() const { return lanes_; }

 private:
  void drain(Lane& lane) {
    const SteadyTime begin = std::chrono::steady_clock::now();
    auto result = lane.shipper->drain(
        [this, &lane](const DrainProgress& progress) {
          const std::lock_guard guard(mutex_);
          if (progress.successes != lane.progress.successes) {
            lane.success = std::chrono::steady_clock::now();
          }
          lane.progress = progress;
        },
        options_.give_up_after);
    const std::lock_guard guard(mutex_);
    lane.took = std::chrono::steady_clock::now() - begin;
    lane.result = std::move(result);
    ended_.notify_all();
  }

  void show_progress(std::ostream& err) {
    Progress bar(err, "shipping", options_.progress_width);
    std::unique_lock lock(mutex_);
    while (!ended_.wait_for(lock, kRedraw, [this] { return all_ended(); })) {
      cancel_what_takes_too_long();
      std::int64_t done = 0, total = 0;
      std::string waiting;
      for (const auto& lane : lanes_) {
        done += lane->progress.done;
        total += lane->progress.total;
        const std::string what = waiting_text(*lane);
        waiting += (waiting.empty() || what.empty() ? "" : "; ") + what;
        if (lane->notice.due(what, std::chrono::steady_clock::now()) &&
            options_.progress_width == 0) {
          err << "invlog ship: " << what << std::endl;
        }
      }
      bar.show(static_cast<std::uint64_t>(done), static_cast<std::uint64_t>(total), waiting);
    }
  }

  static std::string waiting_text(const Lane& lane) {
    if (lane.result || lane.progress.waiting_for.empty()) {
      return "";
    }
    return lane.configured.destination->name() + " waits: " + printable(lane.progress.waiting_for);
  }

  // A drain looks at the time between attempts only; those that are under way end by `cancelled`.
  // What all of them share is given up when the last one is.
  void cancel_what_takes_too_long() {
    if (options_.give_up_after.count() <= 0) {
      return;
    }
    const SteadyTime now = std::chrono::steady_clock::now();
    bool all = true;
    for (const auto& lane : lanes_) {
      if (!lane->result && now - lane->success > options_.give_up_after) {
        lane->cancelled = true;
      }
      all = all && (lane->result || lane->cancelled);
    }
    if (all) {
      cancel_all();
    }
  }

  void cancel_all() {
    cancelled_ = true;
    for (const auto& lane : lanes_) {
      lane->cancelled = true;
    }
  }

  bool all_ended() const {
    return std::all_of(lanes_.begin(), lanes_.end(),
                       [](const auto& lane) { return lane->result.has_value(); });
  }

  const ShipOptions& options_;
  std::atomic<bool> cancelled_{false};
  const std::unique_ptr<aws::CredentialsProvider> credentials_;
  delivery::OwnIdentity identity_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::vector<std::unique_ptr<Lane>> lanes_;
};

double megabytes_per_second(const Lane& lane) {
  const double seconds = lane.took.count();
  return seconds <= 0 ? 0 : static_cast<double>(lane.result->line_bytes) / 1e6 / seconds;
}

std::string decimal(double number, int digits) {
  char text[40];
  std::snprintf(text, sizeof text, "%.*f", digits, number);
  return text;
}

const char* result_text(const DrainResult& done) {
  if (!done.error.empty()) {
    return "FAILED";
  }
  return done.dead_letters > 0 ? "SOME REFUSED" : "all delivered";
}

void print_table(const Ship& ship, std::ostream& out) {
  TextTable table(
      out,
      {"destination", "target", "records", "batches", "sent", "dead letters", "MB/s", "result"}, 0);
  for (const auto& lane : ship.lanes()) {
    const DrainResult& done = *lane->result;
    table.add({{lane->configured.destination->name(), false},
               {printable(lane->configured.destination->target()), false},
               {grouped(done.records), true},
               {grouped(done.batches), true},
               {readable_size(done.bytes), true},
               {grouped(done.dead_letters), true},
               {decimal(megabytes_per_second(*lane), 1), true},
               {result_text(done), false}});
  }
  table.finish();
}

void print_json(const Ship& ship, std::ostream& out) {
  std::string list;
  for (const auto& lane : ship.lanes()) {
    const DrainResult& done = *lane->result;
    std::string json = "{";
    storage::append_json_member(json, "destination", lane->configured.destination->name());
    storage::append_json_member(json, "target", lane->configured.destination->target());
    storage::append_json_raw(json, "delivered", done.error.empty() ? "true" : "false");
    storage::append_json_number(json, "records", done.records);
    storage::append_json_number(json, "batches", done.batches);
    storage::append_json_number(json, "bytes", static_cast<long long>(done.bytes));
    storage::append_json_number(json, "line_bytes", static_cast<long long>(done.line_bytes));
    storage::append_json_number(json, "dead_letters", done.dead_letters);
    storage::append_json_raw(json, "seconds", decimal(lane->took.count(), 3));
    storage::append_json_raw(json, "mb_per_second", decimal(megabytes_per_second(*lane), 1));
    if (done.error.empty()) {
      storage::append_json_raw(json, "error", "null");
    } else {
      storage::append_json_member(json, "error", done.error);
    }
    list += (list.empty() ? "" : ",") + json + "}";
  }
  out << "{\"destinations\":[" << list << "]}\n";
}

// What somebody asked for with `invlog dead-letters retry`, and nobody does.
void tell_retries_of_others(storage::DeliveryLedger& ledger, const Ship& ship, std::ostream& err) {
  for (const storage::DeliveryState& state : ledger.states()) {
    const bool ours =
        std::any_of(ship.lanes().begin(), ship.lanes().end(), [&state](const auto& lane) {
          return lane->configured.destination->name() == state.destination;
        });
    if (!ours && !ledger.requested_retries(state.destination, 1).empty()) {
      err << "invlog ship: " << printable(state.destination)
          << ", which is not configured (any more, or not here), has dead letters that are marked "
             "for another attempt: nobody makes one before it is; see `invlog dead-letters list`\n";
    }
  }
}

std::string names_of(const config::AgentConfig& configuration) {
  std::string names;
  for (const auto& each : delivery::describe_destinations(configuration)) {
    names += (names.empty() ? "" : ", ") + each.name;
  }
  return names;
}

}  // namespace

int run_ship(const ShipOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto access = open_delivery(options.store, options.world.environment, err, exit_code);
  if (!access) {
    return exit_code;
  }
  Ship ship(options, *access);
  if (ship.lanes().empty()) {
    const std::string names = names_of(access->configuration);
    err << "invlog ship: "
        << (options.destination.empty() || names.empty()
                ? "no destination is configured: add [exporters.s3] with bucket = \"...\", or "
                  "[exporters.cloudwatch_logs] with log_group = \"...\", to the configuration file"
                : "destination " + options.destination + " is not configured, only " + names)
        << '\n';
    return kUsageError;
  }
  // Better said once and at once than by each destination: whoever delivers keeps cursors.
  if (const auto ledger = storage::DeliveryLedger::open(access->store_path); !ledger) {
    err << "invlog: " << with_advice(ledger.error(), access->store_path, StoreUse::writing) << '\n';
    return kFailure;
  }
  ship.run(err);
  options.json ? print_json(ship, out) : print_table(ship, out);
  for (const auto& lane : ship.lanes()) {
    const DrainResult& done = *lane->result;
    const std::string name = lane->configured.destination->name();
    if (!done.error.empty()) {
      err << "invlog ship: " << name << ": " << printable(done.error) << '\n';
      exit_code = kFailure;
    }
    if (done.dead_letters > 0) {
      err << "invlog ship: " << name << ": " << counted(done.dead_letters, "record")
          << " refused; see `invlog dead-letters list`\n";
    }
  }
  const auto ledger = storage::DeliveryLedger::look(access->reader->connection());
  if (ledger && options.destination.empty()) {
    tell_retries_of_others(*ledger, ship, err);
  }
  return exit_code;
}

}  // namespace invlog::cli

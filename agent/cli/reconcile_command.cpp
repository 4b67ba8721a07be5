#include "agent/cli/reconcile_command.h"

#include <atomic>
#include <limits>
#include <memory>
#include <utility>

#include "agent/cli/display_text.h"
#include "agent/cli/reconcile_report.h"
#include "agent/cli/stop_signals.h"
#include "agent/cli/terminal.h"
#include "agent/residency/reconciler.h"
#include "agent/residency/trail_files.h"
#include "storage/time_text.h"
#include "storage/trail_ledger.h"

namespace invlog::cli {
namespace {

constexpr std::size_t kListed = 20;

// The store, without more than is known of it.
struct Target {
  std::string path;
  storage::StoreInformation information;
};

int compare(const ReconcileOptions& options, const Target& target, residency::TrailSource& source,
            std::atomic<bool>& cancelled, std::ostream& out, std::ostream& err) {
  const auto ledger = storage::TrailLedger::open(target.path, "", options.now_us);
  if (!ledger) {
    err << "invlog: " << with_advice(ledger.error(), target.path) << '\n';
    return kFailure;
  }
  residency::ReconcilerOptions comparing;
  comparing.region = target.information.region;
  comparing.account = target.information.account_id;
  comparing.since_us = options.since_us;
  comparing.until_us = options.until_us;
  comparing.listed =
      options.all || options.json ? std::numeric_limits<std::size_t>::max() : kListed;
  residency::Reconciler reconciler(**ledger, source, std::move(comparing));
  {
    const StopSignals signals([&cancelled](int) { cancelled = true; });
    Progress bar(err, "reconciling", options.progress_width);
    reconciler.on_stopped = [&cancelled] { return cancelled.load(); };
    reconciler.on_progress = [&bar](const residency::TrailProgress& progress) {
      bar.show(progress.done, progress.total, progress.note);
    };
    const auto read = source.read(reconciler);
    if (cancelled || !read) {
      err << "invlog reconcile: "
          << (cancelled ? "stopped; run it again to compare everything" : printable(read.error()))
          << '\n';
      return kFailure;
    }
  }
  const residency::Reconciliation found = reconciler.finish();
  const ReconcileHeading heading{source.name(), target.path, target.information.region,
                                 target.information.account_id};
  options.json ? print_reconciliation_json(heading, found, out)
               : print_reconciliation(heading, found, options.terminal_width, out);
  print_trail_problems(found, err);
  const bool nothing_read = found.read == 0 && found.problem_count > 0;
  const bool unseen = options.fail_on_unseen && found.unseen > 0;
  return nothing_read || unseen || found.outside > 0 ? kFailure : kSuccess;
}

int reconcile_files(const ReconcileOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto location = find_store(options.store, err, exit_code);
  if (!location) {
    return exit_code;
  }
  const auto reader = storage::Reader::open(location->store_path);
  if (!reader) {
    err << "invlog: " << with_advice(reader.error(), location->store_path) << '\n';
    return kFailure;
  }
  const Target target{location->store_path, (*reader)->information()};
  residency::TrailFiles source(options.cloudtrail, target.information.region);
  std::atomic<bool> cancelled{false};
  return compare(options, target, source, cancelled, out, err);
}

}  // namespace

int run_reconcile(const ReconcileOptions& options, std::ostream& out, std::ostream& err) {
  if (options.since_us && options.until_us && *options.since_us >= *options.until_us) {
    err << "invlog: --since must be before --until\n";
    return kUsageError;
  }
  return reconcile_files(options, out, err);
}

}  // namespace invlog::cli

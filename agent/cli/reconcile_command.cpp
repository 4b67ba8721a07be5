#include "agent/cli/reconcile_command.h"

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "agent/cli/display_text.h"
#include "agent/cli/reconcile_report.h"
#include "agent/cli/stop_signals.h"
#include "agent/cli/terminal.h"
#include "agent/cli/waiting_notice.h"
#include "agent/residency/reconciler.h"
#include "agent/residency/trail_bucket.h"
#include "agent/residency/trail_files.h"
#include "agent/residency/trail_lookup.h"
#include "exporters/aws/endpoints.h"
#include "exporters/patient_caller.h"
#include "storage/store_file.h"
#include "storage/time_text.h"
#include "storage/trail_ledger.h"

namespace invlog::cli {
namespace {

constexpr std::size_t kListed = 20;
constexpr const char* kLookup = "lookup";

// The store, without more than is known of it.
struct Target {
  std::string path;
  storage::StoreInformation information;
  std::uint64_t max_size_bytes = 0;  // 0: none, or none that is known
};

// If it is the configuration of this store, and not of another one on this host.
std::uint64_t max_size_of(const std::string& store_path, const config::AgentConfig& configuration) {
  const bool same = storage::resolved_store_path(configuration.store_path()) ==
                    storage::resolved_store_path(store_path);
  return same ? configuration.retention.max_size_bytes : 0;
}

// How far it is and what it waits for, on a bar, or in a line where there is none.
class ReconcileScreen {
 public:
  ReconcileScreen(std::ostream& err, int width)
      : err_(err), width_(width), bar_(err, "reconciling", width) {}

  void show(const residency::TrailProgress& progress) {
    progress_ = progress;
    bar_.show(progress.done, progress.total, progress.note);
  }

  // Before a pause; 0: nothing is waited for any longer. Short waits add up: an agent that makes a
  // little room at a time takes as long.
  void show_waiting(std::chrono::milliseconds pause) {
    const bool waits = pause.count() > 0;
    const std::string what = waits ? "waits for room in the store, which is at its max_size" : "";
    const bool has_bar = width_ > 0 && progress_.total > 0;
    if (notice_.due(what, WaitingNotice::Time(waited_)) && !has_bar) {
      err_ << "invlog reconcile: " << what << std::endl;
    }
    waited_ += pause;
    bar_.show(progress_.done, progress_.total, waits ? what : progress_.note);
  }

 private:
  std::ostream& err_;
  const int width_;
  Progress bar_;
  residency::TrailProgress progress_;
  WaitingNotice notice_;
  std::chrono::milliseconds waited_{0};  // in all, which is the notice's time
};

int compare(const ReconcileOptions& options, const Target& target, residency::TrailSource& source,
            std::atomic<bool>& cancelled, std::ostream& out, std::ostream& err) {
  const auto ledger =
      storage::TrailLedger::open(target.path, "", options.now_us, target.max_size_bytes);
  if (!ledger) {
    err << "invlog: " << with_advice(ledger.error(), target.path, StoreUse::writing) << '\n';
    return kFailure;
  }
  residency::ReconcilerOptions comparing;
  comparing.region = target.information.region;
  comparing.account = target.information.account_id;
  comparing.since_us = options.since_us;
  comparing.until_us = options.until_us;
  comparing.listed =
      options.all || options.json ? std::numeric_limits<std::size_t>::max() : kListed;
  comparing.wait = options.sleep ? options.sleep : [](std::chrono::milliseconds pause) {
    std::this_thread::sleep_for(pause);
  };
  residency::Reconciler reconciler(**ledger, source, std::move(comparing));
  residency::Reconciliation found;
  {
    ReconcileScreen screen(err, options.progress_width);
    reconciler.on_progress = [&screen](const residency::TrailProgress& progress) {
      screen.show(progress);
    };
    reconciler.on_waiting = [&screen](std::chrono::milliseconds pause) {
      screen.show_waiting(pause);
    };
    {
      const StopSignals signals([&cancelled](int) { cancelled = true; });
      reconciler.on_stopped = [&cancelled] { return cancelled.load(); };
      const auto read = source.read(reconciler);
      if (cancelled || !read) {
        err << "invlog reconcile: "
            << (cancelled ? "stopped; run it again to compare everything" : printable(read.error()))
            << '\n';
        return kFailure;
      }
    }
    found = reconciler.finish();
  }
  const ReconcileHeading heading{source.name(), target.path, target.information.region,
                                 target.information.account_id};
  options.json ? print_reconciliation_json(heading, found, out)
               : print_reconciliation(heading, found, options.terminal_width, out);
  print_early_end(found, err);
  print_trail_problems(found, err);
  // What was not read may tell of anything.
  const bool unread = found.problem_count > 0;
  const bool unseen = options.fail_on_unseen && found.unseen > 0;
  return unread || unseen || found.outside > 0 ? kFailure : kSuccess;
}

std::string first_of(const std::string& configured, const aws::Environment& environment,
                     std::initializer_list<const char*> names) {
  std::string value = configured;
  for (const char* const name : names) {
    value = value.empty() ? environment(name).value_or("") : value;
  }
  return value;
}

exporters::CallTimes call_times(const ReconcileOptions& options, const std::atomic<bool>& cancelled,
                                std::ostream& err) {
  exporters::CallTimes times = exporters::system_call_times(&cancelled);
  times.told = [&err, told = std::string()](const aws::ServiceFailure& failure) mutable {
    if (std::exchange(told, failure.message) != failure.message) {
      err << "invlog reconcile: " << printable(failure.message) << "; trying again\n";
    }
  };
  if (options.sleep) {
    times.wait = [&options, &cancelled](std::chrono::milliseconds pause) {
      options.sleep(pause);
      return !cancelled;
    };
  }
  return times;
}

// What asks AWS is made by the agent's configuration.
struct AwsCalls {
  std::unique_ptr<aws::CredentialsProvider> credentials;
  std::unique_ptr<aws::HttpClient> http;
};

int reconcile_lookup(ReconcileOptions options, const DeliveryAccess& access, const Target& target,
                     const AwsCalls& calls, std::atomic<bool>& cancelled, std::ostream& out,
                     std::ostream& err) {
  const std::int64_t now = options.now_us ? options.now_us() : storage::system_now_us();
  const std::int64_t reach = now - residency::TrailLookup::kReachUs;
  if (options.since_us && *options.since_us < reach) {
    err << "invlog reconcile: CloudTrail tells of the last 90 days only; what is older is in a "
           "trail's bucket\n";
  }
  options.since_us = std::max(options.since_us.value_or(reach), reach);
  options.until_us = std::min(options.until_us.value_or(now), now);
  if (*options.since_us >= *options.until_us) {
    err << "invlog: there is nothing between --since and --until that CloudTrail could tell of\n";
    return kUsageError;
  }
  const std::string& region = target.information.region;
  aws::ServiceClientOptions service;
  service.service = "cloudtrail";
  service.region = region;
  service.endpoint = first_of(access.configuration.aws.cloudtrail_endpoint,
                              options.world.environment, {"AWS_ENDPOINT_URL_CLOUDTRAIL"});
  if (service.endpoint.empty()) {
    service.endpoint = "https://" + aws::service_host("cloudtrail", region);
  }
  aws::ServiceClient client(std::move(service), *calls.http, *calls.credentials);
  residency::TrailLookup source(client, *options.since_us, *options.until_us,
                                call_times(options, cancelled, err));
  return compare(options, target, source, cancelled, out, err);
}

int reconcile_bucket(const ReconcileOptions& options, const Target& target, const AwsCalls& calls,
                     std::atomic<bool>& cancelled, std::ostream& out, std::ostream& err) {
  const auto place = residency::parse_bucket_place(options.cloudtrail);
  if (!place) {
    err << "invlog: \"" << printable(options.cloudtrail)
        << "\" is no bucket: write it like s3://my-trail/AWSLogs/\n";
    return kUsageError;
  }
  exporters::S3Options bucket;
  bucket.region = target.information.region;
  bucket.bucket = place->bucket;
  bucket.endpoint =
      first_of("", options.world.environment, {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  bucket.path_style = !bucket.endpoint.empty();
  exporters::S3ObjectReader reader(bucket, *calls.http, *calls.credentials,
                                   std::chrono::system_clock::now);
  residency::TrailBucket source(reader, *place, target.information.region,
                                call_times(options, cancelled, err));
  return compare(options, target, source, cancelled, out, err);
}

int reconcile_aws(const ReconcileOptions& options, std::ostream& out, std::ostream& err) {
  int exit_code = kSuccess;
  const auto access = open_delivery(options.store, options.world.environment, err, exit_code);
  if (!access) {
    return exit_code;
  }
  std::atomic<bool> cancelled{false};
  const Target target{access->store_path, access->reader->information(),
                      max_size_of(access->store_path, access->configuration)};
  const AwsCalls calls{
      options.world.make_credentials(access->configuration, options.world.environment, &cancelled),
      options.make_http_client(access->configuration.aws, options.world.environment, &cancelled)};
  return options.cloudtrail == kLookup
             ? reconcile_lookup(options, *access, target, calls, cancelled, out, err)
             : reconcile_bucket(options, target, calls, cancelled, out, err);
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
  Target target{location->store_path, (*reader)->information()};
  const auto configuration =
      load_configuration(options.store, options.world.environment, target.information.region);
  if (configuration) {
    target.max_size_bytes = max_size_of(target.path, *configuration);
  }
  residency::TrailFiles source(options.cloudtrail, target.information.region);
  std::atomic<bool> cancelled{false};
  return compare(options, target, source, cancelled, out, err);
}

}  // namespace

std::unique_ptr<aws::HttpClient> make_trail_http_client(const config::AwsConfig& configuration,
                                                        const aws::Environment& environment,
                                                        const std::atomic<bool>* cancelled) {
  aws::HttpClientOptions options =
      delivery::http_client_options(configuration, environment, cancelled);
  options.max_response_bytes = residency::kMostObjectBytes;
  return aws::curl_http_client(std::move(options));
}

int run_reconcile(const ReconcileOptions& options, std::ostream& out, std::ostream& err) {
  if (options.since_us && options.until_us && *options.since_us >= *options.until_us) {
    err << "invlog: --since must be before --until\n";
    return kUsageError;
  }
  return options.cloudtrail == kLookup || options.cloudtrail.starts_with("s3://")
             ? reconcile_aws(options, out, err)
             : reconcile_files(options, out, err);
}

}  // namespace invlog::cli

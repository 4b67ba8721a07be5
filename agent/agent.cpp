#include "agent/agent.h"

#include <malloc.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <utility>

#include "agent/capture/agent_loop.h"
#include "agent/capture/state_directory.h"
#include "agent/capture/status_file.h"
#include "agent/capture/writer_sink.h"
#include "agent/delivery/aws_access.h"
#include "agent/delivery/delivery_service.h"
#include "agent/delivery/destinations.h"
#include "agent/residency/catalogue.h"
#include "agent/residency/profile_service.h"
#include "agent/service/inherited_sockets.h"
#include "agent/service/service_manager.h"
#include "agent/version.h"
#include "exporters/aws/credentials.h"
#include "storage/time_text.h"

namespace invlog {
namespace {

// Calls under way may end, and so may attempts to deliver; with the last commit it makes 10 s.
constexpr std::chrono::seconds kStopLimit{8};
// A store that takes nothing (its disk or its max_size is full) is not waited for longer.
constexpr std::chrono::seconds kLastCommit{2};

// Large bodies come and go; what they held goes back to the system instead of staying in the heap.
void keep_heap_small() {
#if defined(__GLIBC__)
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 512 * 1024);
  ::mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
#endif
}

// What bursts of calls left in the heap goes back to the system at the first quiet second after
// them.
class HeapTrimmer {
 public:
  // Once a second, with the number of calls so far: whether to trim now.
  bool due(std::uint64_t calls) {
    const bool quiet = calls == seen_;
    seen_ = calls;
    if (!quiet || calls == trimmed_at_)
      return false;
    trimmed_at_ = calls;
    return true;
  }
  static void trim() {
#if defined(__GLIBC__)
    ::malloc_trim(0);
#endif
  }

 private:
  std::uint64_t seen_ = 0, trimmed_at_ = 0;
};

void log_to_stderr(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("invlog", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

// Says once when the store begins to take no records, and when it takes them again.
class StorageLog {
 public:
  void look(const storage::WriterStatus& store) {
    if (store.failing && !failing_) {
      spdlog::error("the store takes no records: {}", store.last_error);
    } else if (failing_ && !store.failing) {
      spdlog::info("the store takes records again");
    }
    failing_ = store.failing;
    if (!store.retention_error.empty() && store.retention_error != retention_error_) {
      spdlog::warn("old records could not be taken away, it is tried again: {}",
                   store.retention_error);
    }
    retention_error_ = store.retention_error;
  }

 private:
  bool failing_ = false;
  std::string retention_error_;
};

storage::WriterOptions writer_options(const config::AgentConfig& configuration) {
  storage::WriterOptions options;
  options.path = configuration.store_path();
  options.region = configuration.region;
  options.account_id = configuration.account_id;
  options.host = delivery::host_name();
  options.agent_version = kVersion;
  options.queue_bytes = configuration.queue_bytes;
  options.retention.max_size_bytes = configuration.retention.max_size_bytes;
  options.retention.max_age = configuration.retention.max_age;
  options.retention.keep_undelivered = configuration.retention.keep_undelivered;
  for (delivery::DestinationDescription& destination :
       delivery::describe_destinations(configuration)) {
    options.retention.destinations.push_back(std::move(destination.name));
  }
  return options;
}

service::ServiceState service_state(const capture::Statistics& statistics,
                                    const storage::WriterStatus& store, std::uint64_t beats) {
  service::ServiceState state;
  state.calls = statistics.calls;
  state.writer_beats = beats;
  state.queued_records = store.queued_records;
  state.queued_bytes = store.queued_bytes;
  state.dropped = store.dropped;
  if (store.failing)
    state.store_error = store.last_error;
  return state;
}

// The descriptors to listen on instead of `listen`; says what is not used.
std::vector<int> capture_sockets(service::InheritedSockets& sockets) {
  std::vector<int> descriptors = sockets.take(service::kCaptureSockets);
  for (const std::string& name : sockets.left()) {
    spdlog::warn("the service manager's socket \"{}\" is not used: FileDescriptorName= is \"{}\"",
                 name, service::kCaptureSockets);
  }
  return descriptors;
}

// Who changes `listen` must hear that something else decides.
void say_what_replaces_listen(const config::AgentConfig& configuration,
                              const std::string& address) {
  const std::string wanted =
      configuration.listen_host + ":" + std::to_string(configuration.listen_port);
  if (wanted != address &&
      "[" + configuration.listen_host + "]:" + std::to_string(configuration.listen_port) !=
          address) {
    spdlog::warn(
        "listening on {}, the service manager's socket, which replaces `listen`: change "
        "ListenStream= in the socket unit (systemctl edit invlog.socket)",
        address);
  }
}

}  // namespace

int run_agent(const config::AgentConfig& configuration) {
  keep_heap_small();
  log_to_stderr(configuration.log_level);
  std::signal(SIGPIPE, SIG_IGN);
  service::InheritedSockets sockets = service::InheritedSockets::from_environment();
  service::ServiceManager service_manager;

  const capture::StateDirectory state(configuration.state_dir);
  storage::Writer writer(writer_options(configuration));
  capture::WriterSink sink(writer);
  const aws::Environment environment = aws::process_environment();
  std::atomic<bool> stopping{false};
  const auto credentials = delivery::make_credentials(configuration, environment, &stopping);
  residency::Catalogue catalogue(configuration.region);  // what calls ask, so it outlives the loop
  const std::vector<int> inherited = capture_sockets(sockets);
  capture::AgentLoop loop(configuration, environment, sink, *credentials, inherited);
  if (!inherited.empty())
    say_what_replaces_listen(configuration, loop.listen_address());
  loop.set_profiles([&catalogue](std::string_view id) { return catalogue.find(id); });
  delivery::DeliveryService service(configuration, *credentials, environment);
  residency::ProfileService profiles(configuration, *credentials, environment, catalogue);

  capture::AgentFacts facts;
  facts.pid = ::getpid();
  facts.version = kVersion;
  facts.region = configuration.region;
  facts.listen = loop.listen_address();
  facts.upstream = configuration.upstream;
  facts.started_at = storage::iso_seconds(storage::system_now_us());
  const std::string status_path = configuration.state_dir + "/status.json";
  std::string last_status;
  const auto status_now = [&] {
    return capture::status_json(facts, loop.statistics(), writer.status());
  };
  HeapTrimmer heap;
  StorageLog storage_log;
  loop.on_tick = [&](capture::Statistics& statistics) {
    const storage::WriterStatus store = writer.status();
    storage_log.look(store);
    service_manager.tick(std::chrono::steady_clock::now(),
                         service_state(statistics, store, writer.heartbeat()));
    if (heap.due(statistics.calls))
      boost::asio::post(loop.helper(), HeapTrimmer::trim);
    std::string status = status_now();
    if (status == last_status)
      return;
    last_status = status;
    boost::asio::post(loop.helper(), [status_path, status = std::move(status)] {
      const std::string problem = capture::replace_file(status_path, status);
      if (!problem.empty())
        spdlog::warn("cannot write the status: {}", problem);
    });
  };

  std::thread stopping_delivery;
  boost::asio::signal_set signals(loop.context(), SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& failure, int) {
    if (failure)
      return;
    spdlog::info("stopping");
    service_manager.stopping("Calls under way may end");
    loop.stop();
    stopping_delivery = std::thread([&service] { service.stop(kStopLimit); });
  });

  service.start([&](const aws::CallerIdentity& identity) {
    boost::asio::post(loop.context(),
                      [&loop, arn = identity.arn] { loop.set_signing_identity(arn); });
    delivery::pin_account(configuration.store_path(), identity.account_id);
  });

  profiles.start();

  loop.on_tick(const_cast<capture::Statistics&>(loop.statistics()));
  const bool only_socket = facts.listen.starts_with("unix:");
  std::printf("invlog ready: %s%s -> %s region %s store %s\n", only_socket ? "" : "http://",
              facts.listen.c_str(), configuration.upstream.c_str(), configuration.region.c_str(),
              configuration.store_path().c_str());
  std::fflush(stdout);
  service_manager.ready("Listening on " + facts.listen);
  loop.run(kStopLimit);
  stopping = true;  // the loop is done: nobody waits for credentials any more
  profiles.stop();
  if (stopping_delivery.joinable())
    stopping_delivery.join();

  writer.stop(kLastCommit);
  loop.helper().join();
  capture::replace_file(status_path, status_now());
  return 0;
}

}  // namespace invlog

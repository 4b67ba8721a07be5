#include "agent/agent.h"

#include <malloc.h>
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
#include <vector>

#include "agent/admin/agent_admin.h"
#include "agent/agent_reload.h"
#include "agent/capture/agent_loop.h"
#include "agent/capture/descriptor_limit.h"
#include "agent/capture/state_directory.h"
#include "agent/capture/status_writer.h"
#include "agent/capture/storage_log.h"
#include "agent/capture/writer_sink.h"
#include "agent/config/setting_checks.h"
#include "agent/delivery/aws_access.h"
#include "agent/delivery/delivery_service.h"
#include "agent/delivery/destinations.h"
#include "agent/delivery/replaceable_delivery.h"
#include "agent/logging/log_setup.h"
#include "agent/proxy/certificate_files.h"
#include "agent/residency/catalogue.h"
#include "agent/residency/profile_service.h"
#include "agent/service/inherited_sockets.h"
#include "agent/service/service_manager.h"
#include "agent/version.h"
#include "exporters/aws/credentials.h"
#include "exporters/log_fields.h"
#include "storage/joined.h"
#include "storage/json_writer.h"
#include "storage/reader.h"
#include "storage/store_error.h"
#include "storage/store_file.h"
#include "storage/time_text.h"

namespace invlog {
namespace {

// A store that takes nothing (its disk or its max_size is full) is not waited for longer.
constexpr std::chrono::seconds kLastCommit{2};
// What a stop may take after the time for calls: they are cut, their records committed.
constexpr std::chrono::seconds kAfterCalls{10};

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

void log_started(const config::AgentConfig& configuration) {
  const LogContext context({log_message::kStarted, {}});
  spdlog::info("invlog {} serves Region {}", kVersion, configuration.region);
}

storage::WriterOptions writer_options(const config::AgentConfig& configuration) {
  storage::WriterOptions options;
  options.path = configuration.store_path();
  options.region = configuration.region;
  options.account_id = configuration.account_id;
  options.host = delivery::host_name();
  options.agent_version = kVersion;
  options.queue_bytes = configuration.queue_bytes;
  options.retention = delivery::retention_options(configuration);
  options.open_later = true;  // a full disk stops the records, not the calls
  return options;
}

// Which host the next record would be of. "": not known, or no store yet.
std::string recorded_host(const std::string& store_path) {
  try {
    const auto reader = storage::Reader::open(store_path);
    return reader ? (*reader)->information().host : "";
  } catch (const storage::StoreError&) {
    return "";  // the writer says what is wrong with it
  }
}

// A clone of a store goes on under the original's name.
void warn_of_changed_host(const std::string& before, const std::string& now) {
  if (!before.empty() && !now.empty() && before != now) {
    spdlog::warn(
        "the store's records so far say host {}, those from now on say {}. If an image brought the "
        "store here, empty state_dir and begin anew: its clones would deliver under one identity",
        before, now);
  }
}

std::string status_path(const config::AgentConfig& configuration) {
  return configuration.state_dir + "/status.json";
}

// What the agent before lost, and had no room for a row that says so. Killed within the second that
// status.json is behind the store, it leaves a number that is told twice: better than never.
void tell_untold_drops(const config::AgentConfig& configuration, storage::Writer& writer) {
  const capture::UntoldDrops untold = capture::read_untold_drops(status_path(configuration));
  if (untold.records == 0)
    return;
  if (untold.region != configuration.region) {
    spdlog::error(
        "the agent before, for Region {}, lost {} records, of which its store does not tell",
        untold.region, untold.records);
    return;
  }
  spdlog::warn(
      "the agent before lost {} records, and its store took no row that says so: it is written now",
      untold.records);
  writer.count_dropped("storage-failed", untold.records);
}

void note_authority(const proxy::CertificateFacts& authority, storage::Writer& writer) {
  spdlog::info("proxy mode: the certificate authority is {} from now on (SHA-256 {})",
               authority.subject, authority.fingerprint);
  std::string details = "{";
  storage::append_json_member(details, "subject", authority.subject);
  storage::append_json_member(details, "sha256", authority.fingerprint);
  writer.record_event("authority-replaced", details + "}");
}

// No erasure and no limit reaches it, and nobody else looks there.
void warn_of_left_copy(const std::string& store_path) {
  const std::string copy = storage::whole_copy_path(storage::resolved_store_path(store_path));
  if (::access(copy.c_str(), F_OK) == 0) {
    spdlog::warn(
        "beside the store is {}, a copy from when its file was removed: look what is in it, and "
        "remove it or put it where it belongs",
        copy);
  }
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
    spdlog::warn(
        "the service manager's socket \"{}\" is not used: FileDescriptorName= is \"{}\" or \"{}\"",
        name, service::kCaptureSockets, service::kProxySockets);
  }
  return descriptors;
}

// The same for proxy mode, which is off without a certificate authority; its sockets are closed
// then.
std::vector<int> proxy_sockets(service::InheritedSockets& sockets,
                               const config::AgentConfig& configuration) {
  std::vector<int> descriptors = sockets.take(service::kProxySockets);
  if (!descriptors.empty() && !proxy::CertificateAuthority::exists(configuration.state_dir)) {
    spdlog::warn(
        "proxy mode is off, and its socket closed: there is no certificate authority in {}: "
        "`invlog ca init`, then restart the agent",
        configuration.state_dir);
    for (const int descriptor : std::exchange(descriptors, {}))
      ::close(descriptor);
  }
  return descriptors;
}

// Where applications arrive; the first is the one that `listen` in status.json names.
std::vector<std::string> addresses_of(const capture::AgentLoop& loop) {
  std::vector<std::string> addresses{loop.listen_address()};
  for (const capture::Listener* listener : loop.listeners()) {
    if (std::string address = listener->address(); address != addresses.front())
      addresses.push_back(std::move(address));
  }
  return addresses;
}

// Who changes `listen` must hear that something else decides.
void say_what_replaces_listen(const config::AgentConfig& configuration,
                              const capture::AgentLoop& loop) {
  const bool by_name = configuration.listen_host == "localhost";
  const std::string wanted =
      configuration.listen_host.empty()
          ? "unix:" + configuration.listen_socket
          : config::host_and_port(by_name ? "127.0.0.1" : configuration.listen_host,
                                  configuration.listen_port);
  for (const capture::Listener* listener : loop.listeners()) {
    if (listener->address() == wanted)
      return;
  }
  spdlog::warn(
      "listening on {}, the service manager's socket, which replaces `listen`: change "
      "ListenStream= in the socket unit (systemctl edit invlog.socket, or invlog@REGION.socket)",
      loop.listen_address());
}

void warn_of_strangers(const config::AgentConfig& configuration, const capture::AgentLoop& loop) {
  if (configuration.access.names_callers())  // whom the kernel does not know is refused
    return;
  for (const capture::Listener* listener : loop.listeners()) {
    if (!listener->is_local()) {
      spdlog::warn("allow_remote: whoever reaches {} calls Bedrock with the agent's credentials",
                   listener->address());
    }
  }
}

}  // namespace

int run_agent(const config::AgentConfig& configuration, config::ConfigReloader& reloader) {
  keep_heap_small();
  logging::set_up_log(configuration.log_format, configuration.log_level);
  const logging::LogFlush log_flush;
  std::signal(SIGPIPE, SIG_IGN);
  for (const std::string& warning : reloader.warnings())
    spdlog::warn("{}", warning);
  service::InheritedSockets sockets = service::InheritedSockets::from_environment();
  service::ServiceManager service_manager;
  std::signal(SIGHUP, SIG_IGN);  // until `reload` listens

  capture::raise_descriptor_limit(configuration.clients.max_connections);
  const capture::StateDirectory state(configuration.state_dir);
  const std::string host_before = recorded_host(configuration.store_path());
  storage::Writer writer(writer_options(configuration));
  warn_of_changed_host(host_before, delivery::host_name());
  warn_of_left_copy(configuration.store_path());
  capture::WriterSink sink(writer);
  const aws::Environment environment = aws::process_environment();
  std::atomic<bool> stopping{false};
  const auto credentials = delivery::make_credentials(configuration, environment, &stopping);
  residency::Catalogue catalogue(configuration.region);  // what calls ask, so it outlives the loop
  const std::vector<int> for_proxy = proxy_sockets(sockets, configuration);
  const std::vector<int> inherited = capture_sockets(sockets);
  capture::HostUsers users;
  if (::geteuid() != 0)  // root runs many things
    users.agents_user = ::geteuid();
  capture::AgentLoop loop(configuration, environment, sink, *credentials, inherited, for_proxy,
                          users);
  if (!inherited.empty())
    say_what_replaces_listen(configuration, loop);
  warn_of_strangers(configuration, loop);
  loop.set_profiles([&catalogue](std::string_view id) { return catalogue.find(id); });
  delivery::ReplaceableDelivery service(
      [&](const config::AgentConfig& wanted) {
        return std::make_unique<delivery::DeliveryService>(wanted, *credentials, environment);
      },
      configuration);
  residency::ProfileService profiles(configuration, *credentials, environment, catalogue);

  admin::AgentAdmin admin(configuration, loop, writer);

  capture::AgentFacts facts;
  facts.pid = ::getpid();
  facts.version = kVersion;
  facts.region = configuration.region;
  facts.listen = loop.listen_address();
  facts.listeners = addresses_of(loop);
  const std::string everywhere = storage::joined(facts.listeners, ", ");
  facts.proxy = loop.proxy_address();
  facts.upstream = configuration.upstream;
  facts.started_at = storage::iso_seconds(storage::system_now_us());
  capture::StatusWriter status_writer(status_path(configuration));
  // Before the file says something else; so late, since an agent that does not come to serve leaves
  // it to the next one.
  tell_untold_drops(configuration, writer);
  const auto status_now = [&] {
    return capture::status_json(facts, loop.statistics(), writer.status());
  };
  HeapTrimmer heap;
  capture::StorageLog storage_log;
  loop.on_tick = [&](const capture::Statistics& statistics) {
    const auto now = std::chrono::steady_clock::now();
    const storage::WriterStatus store = writer.status();
    storage_log.look(store, now);
    service_manager.tick(now, service_state(statistics, store, writer.heartbeat()));
    if (heap.due(statistics.calls))
      boost::asio::post(loop.helper(), HeapTrimmer::trim);
    status_writer.write(status_now());
  };

  std::thread stopping_delivery;
  boost::asio::signal_set signals(loop.context(), SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& failure, int) {
    if (failure)
      return;
    {
      const LogContext context({log_message::kStopping, {}});
      spdlog::info("stopping");
    }
    service_manager.stopping("Calls under way may end", configuration.stop_timeout + kAfterCalls);
    loop.stop();
    stopping_delivery = std::thread([&] { service.stop(configuration.stop_timeout); });
  });

  AgentReload reload(
      loop, reloader,
      [&writer](const char* kind, std::string details) {
        writer.record_event(kind, std::move(details));
      },
      [&, exporters = configuration.exporters](const config::AgentConfig& changed) mutable {
        spdlog::default_logger()->set_level(spdlog::level::from_str(changed.log_level));
        writer.set_retention(delivery::retention_options(changed));
        admin.change(changed);
        if (std::exchange(exporters, changed.exporters) != changed.exporters)
          service.replace(changed);
      });
  reload.before = [&] {
    service_manager.reloading();
    if (const auto authority = loop.reload_authority())
      note_authority(*authority, writer);
  };
  reload.after = [&] {
    if (!stopping_delivery.joinable())  // else STOPPING=1 is the last word
      service_manager.ready("Listening on " + everywhere);
  };
  reload.start();

  const auto signing_key = std::make_shared<delivery::SigningKey>();
  loop.when_signed_with_unknown_key([signing_key](const std::string& id) { signing_key->use(id); });
  service.start(
      [&, pinned = std::string()](const aws::CallerIdentity& identity) mutable {
        boost::asio::post(loop.context(), [&loop, identity] {
          loop.set_signing_identity({identity.access_key_id, identity.arn});
        });
        if (std::exchange(pinned, identity.account_id) == identity.account_id)
          return;
        const std::string problem =
            delivery::pin_account(configuration.store_path(), identity.account_id);
        boost::asio::post(loop.context(), [&loop, &admin, problem] {
          admin.set_account_problem(problem);
          if (!problem.empty())
            loop.note_error(problem);
        });
      },
      signing_key);

  profiles.start();

  loop.on_tick(loop.statistics());
  const bool only_socket = facts.listen.starts_with("unix:");
  std::printf("invlog ready: %s%s -> %s region %s store %s\n", only_socket ? "" : "http://",
              everywhere.c_str(), configuration.upstream.c_str(), configuration.region.c_str(),
              configuration.store_path().c_str());
  std::fflush(stdout);
  log_started(configuration);
  if (!facts.proxy.empty())
    spdlog::info("proxy: listening on {}", facts.proxy);
  service_manager.ready("Listening on " + everywhere);
  loop.run(configuration.stop_timeout);
  admin.close();    // it reads the store, which the writer has to close as the last one
  stopping = true;  // the loop is done: nobody waits for credentials any more
  profiles.stop();
  if (stopping_delivery.joinable())
    stopping_delivery.join();

  writer.stop(kLastCommit, [&service_manager] { service_manager.still_stopping(); });
  loop.helper().join();
  const std::string status_problem = status_writer.write_last(status_now());
  storage_log.end(writer.status(), status_problem);
  return 0;
}

}  // namespace invlog

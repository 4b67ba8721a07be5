// Endpoint and proxy mode, put together: listeners, sessions, the upstream pool, signing and
// recording on one I/O thread, from start to an orderly stop. run_agent() adds the store, the
// signals and the service manager; tests run it as it is.
//
// Thread: constructed, run and destroyed on one thread, which is the I/O thread while run() runs.
// Ownership: the sink and the credentials provider must outlive it. Errors: the constructor throws
// std::runtime_error with one clear line for what cannot work.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/capture/access_gate.h"
#include "agent/capture/caller_groups.h"
#include "agent/capture/caller_names.h"
#include "agent/capture/capture_session.h"
#include "agent/capture/listener.h"
#include "agent/capture/proxied_call.h"
#include "agent/capture/rare_warning.h"
#include "agent/config/agent_config.h"
#include "agent/proxy/certificate_files.h"
#include "agent/proxy/interceptor.h"

namespace invlog::capture {

// What there is at the moment, beside what Statistics counts.
struct LoopFacts {
  std::size_t connections = 0;       // of clients
  std::size_t http2_streams = 0;     // under way
  std::size_t idle_connections = 0;  // to the upstream, kept
  std::size_t held_records = 0;      // that wait for room in the queue
  std::uint64_t body_bytes = 0;      // of bodies in flight
  std::uint64_t body_bytes_limit = 0;
  bool stopping = false;
};

// What the host says of its users.
struct HostUsers {
  CallerGroups::LookUp groups = groups_of_user;
  CallerNames::LookUp names = name_of_user;
  // Whom agents run as (go_betweens.h).
  std::optional<std::uint32_t> agents_user = {};
  GoBetweens::Holder holder = [](std::uint32_t socket) { return holder_of_socket(socket); };
};

// What is configured of how long clients may take, and how many they may be.
SessionOptions session_options_of(const config::AgentConfig& configuration);

class AgentLoop {
 public:
  // `inherited_sockets`: listening sockets of the service manager, which the loop owns from now on;
  // if there are any, `listen` is not used.
  // Proxy mode's own are `proxy_sockets`; it is on if there is a certificate authority in the state
  // directory and somewhere to listen.
  AgentLoop(const config::AgentConfig& configuration, const aws::Environment& environment,
            RecordSink& sink, aws::CredentialsProvider& credentials,
            const std::vector<int>& inherited_sockets = {},
            const std::vector<int>& proxy_sockets = {}, const HostUsers& users = {});
  ~AgentLoop();

  // Serves until stop() and then until the calls under way have ended, at most `stop_limit` longer;
  // those left are cut and recorded as cut.
  void run(std::chrono::milliseconds stop_limit);
  void stop();  // on the I/O thread; from elsewhere, post it to context()

  // Whose the agent's credentials are, once that is known; on the I/O thread.
  void set_signing_identity(SigningIdentity identity) {
    calls_.signing_identity = std::move(identity);
  }
  // Called on the I/O thread with the access key id of a call that is signed, where that is not
  // the key of set_signing_identity(). Before run(), or on that thread.
  void when_signed_with_unknown_key(std::function<void(const std::string& access_key_id)> told) {
    calls_.signed_with_unknown_key = std::move(told);
  }

  // Another port where the agent listens ([admin]): no tunnel of proxy mode leads there. Before
  // run(), or on the I/O thread.
  void add_own_port(std::uint16_t port) { more_own_ports_.push_back(port); }

  // What inference profiles there are, from now on; until then none is known. On the I/O thread.
  void set_profiles(residency::FindProfile profiles) { judge_.set_profiles(std::move(profiles)); }

  // Takes the certificate authority anew (`invlog ca rotate`); on the I/O thread. No value: it is
  // the one that it had.
  std::optional<proxy::CertificateFacts> reload_authority();

  // New values for what can change while it runs: [policy], on_overload, on_storage_failure, and
  // what make_privacy_filter() made of [privacy]. A call under way keeps the policy and the filter
  // that it began with. On the I/O thread.
  void change(const config::AgentConfig& configuration,
              std::shared_ptr<const bedrock::PrivacyFilter> privacy);

  // Its own, or those that were inherited; they live as long as the loop.
  std::vector<const Listener*> listeners() const;
  // "127.0.0.1:4180", the port as bound; "unix:/path" if there is only a socket. Of several
  // inherited sockets, the first TCP one.
  std::string listen_address() const;
  std::uint16_t port() const { return tcp_ ? tcp_->port() : 0; }
  // Where proxy mode is to be had, as bound; "" it is off.
  std::string proxy_address() const;
  asio::io_context& context() { return context_; }
  asio::thread_pool& helper() { return helper_; }
  const Statistics& statistics() const { return statistics_; }
  void note_error(std::string text) { statistics_.note_error(std::move(text)); }  // on that thread
  Watchdog& watchdog() { return watchdog_; }
  LoopFacts facts() const;  // on the I/O thread
  // Why calls could not be signed now, "" if they could; on the I/O thread.
  std::string credentials_problem() { return credentials_.problem(); }
  // Called at each tick, once a second, and once after the last call.
  std::function<void(const Statistics&)> on_tick;
  // Called when the last call has ended: what else runs on the loop must end now.
  std::function<void()> on_end;

 private:
  void start_proxy(const aws::Environment& environment, const std::vector<int>& sockets);
  void listen();  // where it is configured
  // An agent whose calls would come back to it does not start.
  void refuse_own_proxy(const aws::Environment& environment) const;
  void refuse_own_upstream() const;
  // The address of a listener of ours at which who connects there arrives; "" none.
  std::string own_address_at(const std::string& host, std::uint16_t port) const;
  std::vector<const Listener*> all_listeners() const;  // proxy mode's, too
  std::vector<std::uint16_t> own_ports() const;
  Task<void> keep_ticking();
  Task<void> wind_down(std::chrono::milliseconds limit);
  void tick();

  config::AgentConfig configuration_;
  asio::io_context context_{1};
  // What may block, each without holding the others up: files that are read again; credentials;
  // users' names and groups; bodies to decode.
  asio::thread_pool helper_{1}, credentials_helper_{1}, users_helper_{4}, bodies_helper_{1};
  Watchdog watchdog_;
  Statistics statistics_;
  std::unique_ptr<TlsContext> tls_;
  std::shared_ptr<OwnSockets> own_ = std::make_shared<OwnSockets>();
  // Tunnels lead to whatever a caller names, and must not hold up Bedrock's names.
  std::shared_ptr<NameLookup> names_, tunnel_names_;
  UpstreamPool pool_;
  RequestSigner signer_;
  CredentialCache credentials_;
  Recorder recorder_;
  MemoryBudget budget_, small_budget_, copies_budget_;
  RareWarning waits_for_memory_;
  CallJudge judge_;
  BodyDecoder decoder_;
  CallerGroups groups_;
  CallerNames caller_names_;
  GoBetweens go_betweens_;
  AccessGate gate_;
  CallServices calls_;
  SessionServices sessions_;
  std::unique_ptr<proxy::Interceptor> interceptor_;  // null: proxy mode is off
  std::unique_ptr<TcpListener> tcp_;                 // at least one of the three
  std::unique_ptr<UnixListener> unix_;
  std::vector<std::unique_ptr<Listener>> inherited_;
  std::vector<std::unique_ptr<Listener>> proxy_;  // empty: on the same port, or off
  std::vector<std::uint16_t> more_own_ports_;
  Event stopping_;
  bool winding_down_ = false;
  bool stopped_ = false;
};

}  // namespace invlog::capture

#include "agent/capture/agent_loop.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <stdexcept>

#include "agent/bedrock/privacy_filter.h"
#include "agent/config/own_address.h"
#include "agent/config/setting_checks.h"
#include "agent/config/unusable_configuration.h"

namespace invlog::capture {
namespace {

using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

// Lookups at once; each is a thread while it lasts.
constexpr std::size_t kLookups = 4;
constexpr std::size_t kTunnelLookups = 8;

UpstreamEndpoint endpoint_of(const config::AgentConfig& configuration,
                             const aws::Environment& environment,
                             std::shared_ptr<NameLookup> names) {
  auto endpoint = parse_upstream(configuration.upstream, environment);
  if (!endpoint)
    throw config::UnusableConfiguration(endpoint.error());
  endpoint->connect_timeout = configuration.connect_timeout;
  endpoint->names = std::move(names);
  return *endpoint;
}

bool is_proxy_on(const config::AgentConfig& configuration, const std::vector<int>& proxy_sockets) {
  return !proxy_sockets.empty() || (!configuration.proxy.listen_host.empty() &&
                                    proxy::CertificateAuthority::exists(configuration.state_dir));
}

proxy::CertificateAuthority authority_of(const config::AgentConfig& configuration) {
  auto authority = proxy::CertificateAuthority::load(configuration.state_dir);
  if (!authority)
    throw std::runtime_error("proxy mode: " + authority.error());
  return std::move(*authority);
}

std::unique_ptr<TlsContext> tls_of(const config::AgentConfig& configuration, bool proxy_on) {
  const bool plain = configuration.upstream.rfind("http://", 0) == 0;
  return plain && !proxy_on ? nullptr : std::make_unique<TlsContext>(configuration.ca_bundle);
}

// A second, or less where a timeout is configured so short that a second would blur it.
std::chrono::milliseconds tick_length(const config::AgentConfig& configuration) {
  const auto shortest =
      std::min({configuration.connect_timeout, configuration.idle_timeout,
                configuration.clients.header_timeout, configuration.clients.keep_alive_timeout});
  return std::clamp(shortest / 4, std::chrono::milliseconds(10), std::chrono::milliseconds(1000));
}

}  // namespace

SessionOptions session_options_of(const config::AgentConfig& configuration) {
  SessionOptions options;
  // Who waits an hour for a model's answer does not wait so long for a client that has stalled.
  options.client_stall_timeout = std::min(options.client_stall_timeout, configuration.idle_timeout);
  options.header_timeout = configuration.clients.header_timeout;
  options.keep_alive_timeout = configuration.clients.keep_alive_timeout;
  options.max_connections = configuration.clients.max_connections;
  return options;
}

AgentLoop::AgentLoop(const config::AgentConfig& configuration, const aws::Environment& environment,
                     RecordSink& sink, aws::CredentialsProvider& credentials,
                     const std::vector<int>& inherited_sockets,
                     const std::vector<int>& proxy_sockets, const HostUsers& users)
    : configuration_(configuration),
      watchdog_(std::chrono::steady_clock::now()),
      tls_(tls_of(configuration, is_proxy_on(configuration, proxy_sockets))),
      names_(std::make_shared<NameLookup>(context_.get_executor(), kLookups)),
      tunnel_names_(std::make_shared<NameLookup>(context_.get_executor(), kTunnelLookups)),
      pool_(context_.get_executor(), endpoint_of(configuration, environment, names_), tls_.get(),
            own_),
      signer_(configuration.region),
      credentials_(
          context_.get_executor(), credentials_helper_, credentials,
          [] { return std::chrono::steady_clock::now(); },
          [] { return std::chrono::system_clock::now(); }),
      recorder_(
          context_.get_executor(), sink,
          {configuration.durability, configuration.on_overload, configuration.on_storage_failure,
           bedrock::make_privacy_filter(configuration.privacy)},
          statistics_),
      budget_(4 * configuration.max_request_bytes),
      small_budget_(4 * configuration.max_request_bytes),
      // What both sides say at once (InvokeModelWithBidirectionalStream) is copied, too.
      copies_budget_(
          4 * std::max(configuration.max_recorded_response_bytes, configuration.max_request_bytes)),
      judge_(configuration.policy, configuration.region),
      decoder_(context_.get_executor(), bodies_helper_),
      groups_(context_.get_executor(), users_helper_, users.groups,
              [] { return std::chrono::steady_clock::now(); }),
      caller_names_(context_.get_executor(), users_helper_, users.names,
                    [] { return std::chrono::steady_clock::now(); }),
      go_betweens_(users.agents_user, users.holder),
      gate_(configuration.access, std::string(config::host_of(configuration.upstream)), groups_,
            caller_names_, go_betweens_, recorder_, statistics_),
      calls_{{configuration.max_request_bytes, configuration.max_recorded_response_bytes,
              configuration.connect_timeout, configuration.idle_timeout},
             configuration.identity_arn,
             {},
             [] { return std::chrono::system_clock::now(); },
             pool_,
             signer_,
             credentials_,
             recorder_,
             budget_,
             small_budget_,
             copies_budget_,
             watchdog_,
             statistics_,
             judge_,
             decoder_,
             caller_names_,
             go_betweens_},
      sessions_{{[this](Exchange& exchange) -> Task<void> {
                  if (!co_await gate_.admit(exchange))
                    co_return;
                  ProxiedCall call(exchange, calls_);
                  co_await call.run();
                }},
                session_options_of(configuration),
                watchdog_,
                {},
                statistics_.clients} {
  sessions_.options.unread_bodies = &small_budget_;
  watchdog_.set_tick(tick_length(configuration));
  if (is_proxy_on(configuration, proxy_sockets))
    start_proxy(environment, proxy_sockets);
  for (const int descriptor : inherited_sockets)
    inherited_.push_back(adopt_listener(context_.get_executor(), descriptor, sessions_,
                                        sessions_.endpoint, configuration.access.allow_remote));
  if (inherited_.empty())
    listen();
  refuse_own_proxy(environment);
  refuse_own_upstream();
}

void AgentLoop::listen() {
  if (!configuration_.listen_host.empty()) {
    tcp_ = std::make_unique<TcpListener>(context_.get_executor(), configuration_.listen_host,
                                         configuration_.listen_port, sessions_, sessions_.endpoint);
  }
  if (!configuration_.listen_socket.empty()) {
    // Whoever may not call is told so; to other users' programs the socket would only be closed.
    using Access = UnixListener::Access;
    unix_ = std::make_unique<UnixListener>(
        context_.get_executor(), configuration_.listen_socket, sessions_, sessions_.endpoint,
        configuration_.access.names_callers() ? Access::everybody : Access::own_group);
  }
}

void AgentLoop::refuse_own_proxy(const aws::Environment& environment) const {
  const auto proxy = company_proxy(environment);
  // One that is not used may be anything.
  if (!interceptor_ && !pool_.endpoint().proxy)
    return;
  // Proxy mode reaches most hosts by it.
  if (!proxy)
    throw config::UnusableConfiguration(proxy.error());
  if (!*proxy)
    return;
  if (const std::string address = own_address_at((*proxy)->host, (*proxy)->port);
      !address.empty()) {
    throw config::UnusableConfiguration(
        "HTTPS_PROXY is this agent itself (" + address +
        "): its calls would come back to it; start it without that variable");
  }
}

void AgentLoop::refuse_own_upstream() const {
  const UpstreamEndpoint& upstream = pool_.endpoint();
  if (upstream.proxy)
    return;
  if (const std::string address = own_address_at(upstream.host, upstream.port); !address.empty()) {
    throw config::UnusableConfiguration("upstream " + configuration_.upstream +
                                        " is this agent itself (" + address +
                                        "): its calls would come back to it");
  }
}

std::string AgentLoop::own_address_at(const std::string& host, std::uint16_t port) const {
  for (const Listener* listener : all_listeners()) {
    if (std::string address = listener->address(); config::leads_to(address, host, port))
      return address;
  }
  return "";
}

void AgentLoop::start_proxy(const aws::Environment& environment, const std::vector<int>& sockets) {
  const config::ProxyConfig& wanted = configuration_.proxy;
  interceptor_ = std::make_unique<proxy::Interceptor>(
      proxy::Interceptor::Needs{context_.get_executor(), configuration_, environment, *tls_,
                                sessions_, gate_, recorder_, statistics_, own_, names_,
                                tunnel_names_, [this] { return own_ports(); }},
      authority_of(configuration_), [] { return std::chrono::system_clock::now(); });
  sessions_.own = own_;
  sessions_.own_connection = [this](AcceptedConnection connection) {
    return interceptor_->refuse_own(std::move(connection));
  };
  const Entrance& entrance = interceptor_->entrance();
  for (const int descriptor : sockets)
    proxy_.push_back(adopt_listener(context_.get_executor(), descriptor, sessions_, entrance,
                                    configuration_.access.allow_remote));
  if (!proxy_.empty())
    return;
  const bool same_port = wanted.listen_port != 0 &&
                         wanted.listen_port == configuration_.listen_port &&
                         config::listen_address(wanted.listen_host) ==
                             config::listen_address(configuration_.listen_host);
  if (!same_port) {
    proxy_.push_back(std::make_unique<TcpListener>(context_.get_executor(), wanted.listen_host,
                                                   wanted.listen_port, sessions_, entrance));
    return;
  }
  sessions_.endpoint.tls = entrance.tls;
  sessions_.endpoint.handler = [this, call = sessions_.endpoint.handler](Exchange& exchange) {
    return exchange.request().method == "CONNECT" && exchange.interception() == nullptr
               ? interceptor_->connect(exchange)
               : call(exchange);
  };
}

std::string AgentLoop::proxy_address() const {
  if (!interceptor_)
    return "";
  return proxy_.empty() ? listen_address() : proxy_.front()->address();
}

std::optional<proxy::CertificateFacts> AgentLoop::reload_authority() {
  if (!interceptor_)
    return std::nullopt;
  auto authority = proxy::CertificateAuthority::load(configuration_.state_dir);
  if (!authority) {
    spdlog::warn("proxy mode goes on with the certificate authority that it has: {}",
                 authority.error());
    return std::nullopt;
  }
  proxy::CertificateFacts facts = proxy::facts_of(authority->certificate());
  return interceptor_->replace(std::move(*authority)) ? std::optional(std::move(facts))
                                                      : std::nullopt;
}

AgentLoop::~AgentLoop() {
  names_->close();
  tunnel_names_->close();
  helper_.join();
  credentials_helper_.join();
  users_helper_.join();
  bodies_helper_.join();
}

std::vector<const Listener*> AgentLoop::listeners() const {
  std::vector<const Listener*> all;
  if (tcp_)
    all.push_back(tcp_.get());
  if (unix_)
    all.push_back(unix_.get());
  for (const auto& listener : inherited_)
    all.push_back(listener.get());
  return all;
}

std::vector<const Listener*> AgentLoop::all_listeners() const {
  std::vector<const Listener*> all = listeners();
  for (const auto& listener : proxy_)
    all.push_back(listener.get());
  return all;
}

std::vector<std::uint16_t> AgentLoop::own_ports() const {
  std::vector<std::uint16_t> ports = more_own_ports_;
  for (const Listener* listener : all_listeners()) {
    std::string host;
    std::uint16_t port = 0;
    if (config::split_host_and_port(listener->address(), host, port))
      ports.push_back(port);
  }
  return ports;
}

std::string AgentLoop::listen_address() const {
  const std::vector<const Listener*> all = listeners();
  for (const Listener* listener : all) {
    if (std::string address = listener->address(); !address.starts_with("unix:"))
      return address;
  }
  return all.front()->address();
}

void AgentLoop::change(const config::AgentConfig& configuration,
                       std::shared_ptr<const bedrock::PrivacyFilter> privacy) {
  recorder_.change(configuration.on_overload, configuration.on_storage_failure, std::move(privacy));
  if (configuration.policy != configuration_.policy) {
    configuration_.policy = configuration.policy;
    judge_.set_policy(configuration.policy);
  }
}

void AgentLoop::tick() {
  const auto now = std::chrono::steady_clock::now();
  watchdog_.tick(now);
  pool_.drop_idle();
  recorder_.tick();
  const MemoryBudget::Ticked bodies = budget_.tick(now, configuration_.clients.header_timeout);
  statistics_.clients.slow_cut += bodies.cut;
  if (bodies.out_of_patience > 0) {
    waits_for_memory_.say(now,
                          "calls have waited for seconds for memory for their requests' bodies: "
                          "those of the calls under way fill it, 4 times max_request_size");
  }
  gate_.tick(now);
  if (interceptor_)
    interceptor_->tick(now);
}

Task<void> AgentLoop::keep_ticking() {
  Timer timer(context_.get_executor());
  auto reported = std::chrono::steady_clock::now();
  while (!stopped_) {
    timer.expires_after(watchdog_.tick_length());
    error_code failure;
    co_await timer.async_wait(asio::redirect_error(use_task, failure));
    tick();
    const auto now = std::chrono::steady_clock::now();
    if (on_tick && now - reported >= std::chrono::milliseconds(990)) {
      reported = now;
      on_tick(statistics_);
    }
  }
}

LoopFacts AgentLoop::facts() const {
  LoopFacts facts;
  facts.connections = sessions_.sessions.size();
  facts.http2_streams = sessions_.sessions.streams();
  facts.idle_connections = pool_.idle() + (interceptor_ ? interceptor_->idle_connections() : 0);
  facts.held_records = recorder_.held();
  facts.body_bytes = budget_.used() + small_budget_.used() + copies_budget_.used();
  facts.body_bytes_limit = budget_.limit() + small_budget_.limit() + copies_budget_.limit();
  facts.stopping = winding_down_;
  return facts;
}

void AgentLoop::stop() {
  winding_down_ = true;
  if (tcp_)
    tcp_->stop();
  if (unix_)
    unix_->stop();
  for (const auto& listener : inherited_)
    listener->stop();
  for (const auto& listener : proxy_)
    listener->stop();
  sessions_.sessions.drain();
  sessions_.refused.close();
  stopping_.set();
}

Task<void> AgentLoop::wind_down(std::chrono::milliseconds limit) {
  co_await stopping_.wait();
  const auto until = std::chrono::steady_clock::now() + limit;
  Timer timer(context_.get_executor());
  const auto wait_while_busy = [&](auto deadline) -> Task<void> {
    // At least once: what was accepted last is about to become a session.
    do {
      timer.expires_after(std::chrono::milliseconds(5));
      error_code failure;
      co_await timer.async_wait(asio::redirect_error(use_task, failure));
    } while (sessions_.sessions.size() > 0 && std::chrono::steady_clock::now() < deadline);
  };
  co_await wait_while_busy(until);
  if (sessions_.sessions.size() > 0) {
    spdlog::warn("cutting {} connections that did not end in time", sessions_.sessions.size());
    calls_.cutting = true;
    sessions_.sessions.close();
    watchdog_.expire_all();
    credentials_.stop_waiting();
    recorder_.drain();
    co_await wait_while_busy(std::chrono::steady_clock::now() + std::chrono::seconds(2));
  }
  pool_.close();
  if (interceptor_)
    interceptor_->close();
  gate_.flush();
  recorder_.drain();
  if (on_tick)
    on_tick(statistics_);
  if (on_end)
    on_end();
  stopped_ = true;
  context_.stop();
}

void AgentLoop::run(std::chrono::milliseconds stop_limit) {
  asio::co_spawn(context_, keep_ticking(), asio::detached);
  asio::co_spawn(context_, wind_down(stop_limit), asio::detached);
  context_.run();
  // What was closed last still has its aborted operations to hear of; they refer to members that go
  // before the context.
  context_.restart();
  context_.poll();
}

}  // namespace invlog::capture

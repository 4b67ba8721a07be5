#include "agent/proxy/interceptor.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/write.hpp>
#include <cstring>
#include <utility>

#include "agent/capture/opening_connection.h"
#include "agent/capture/original_destination.h"
#include "agent/capture/tcp_keepalive.h"
#include "agent/capture/tls_start.h"
#include "agent/config/setting_checks.h"
#include "agent/proxy/client_hello.h"
#include "agent/proxy/opening_tunnel.h"
#include "agent/proxy/tunnel.h"
#include "storage/json_writer.h"

namespace invlog::proxy {
namespace {

using capture::AcceptedConnection;
using capture::error_code;
using capture::Exchange;
using capture::Task;
using capture::use_task;
namespace asio = capture::asio;
using Kind = BedrockHosts::Kind;
using Transport = capture::Peer::Transport;

constexpr std::uint16_t kHttpsPort = 443;
// Names of VPC endpoints in use at once; each costs a leaf and two pools.
constexpr std::size_t kMostHosts = 64;
// A fatal alert, unrecognized_name (RFC 8446 §6, RFC 6066 §3), in TLS 1.2's record.
constexpr std::string_view kUnrecognizedName("\x15\x03\x03\x00\x02\x02\x70", 7);

std::string text_of(const Authority& authority) {
  return config::host_and_port(authority.host, authority.port);
}

bool is_on_this_host(const capture::Peer& peer) {
  return peer.transport == Transport::loopback || peer.transport == Transport::unix_socket;
}

std::string event_details(const capture::RefusedCalls& refused) {
  std::string host;
  std::uint16_t port = 0;
  config::split_host_and_port(refused.subject, host, port);
  std::string details = "{";
  storage::append_json_member(details, "why", refused.why);
  storage::append_json_member(details, "host", host.empty() ? refused.subject : host);
  if (port != 0)
    storage::append_json_number(details, "port", port);
  storage::append_json_number(details, "connections", static_cast<long long>(refused.calls));
  storage::append_json_member(details, "message", refused.message);
  return details + "}";
}

// What fits the socket's empty buffer is sent at once or not at all.
void send_last(capture::ClientStream& stream, std::string_view bytes) {
  error_code ignored;
  const asio::const_buffer buffer(bytes.data(), bytes.size());
  stream.write_some(&buffer, &buffer + 1, ignored);
  stream.shutdown_send();
}

// Reads on until it is known what the hello is. False: the connection has ended before.
Task<bool> read_hello(AcceptedConnection& connection, ClientHello& hello) {
  hello = read_client_hello(connection.first_bytes);
  while (hello.state == ClientHello::State::incomplete) {
    char piece[4096];
    error_code failure;
    const std::size_t count = co_await connection.stream.async_read_some(
        asio::buffer(piece), asio::redirect_error(use_task, failure));
    if (failure)
      co_return false;
    connection.first_bytes.append(piece, count);
    hello = read_client_hello(connection.first_bytes);
  }
  co_return true;
}

}  // namespace

Interceptor::Interceptor(Needs needs, CertificateAuthority authority, ServerTls::Clock clock)
    : needs_(std::move(needs)),
      configuration_(needs_.configuration.proxy),
      hosts_(needs_.configuration.region, configuration_.hosts),
      tls_(std::move(authority), std::move(clock)),
      entrance_{[this](Exchange& exchange) -> Task<void> {
                  if (exchange.request().method == "CONNECT")
                    return connect(exchange);
                  return refuse(exchange, 400,
                                "invlog: this port is a proxy for https: give the application its "
                                "address as HTTPS_PROXY; calls without TLS go to the agent's "
                                "`listen` address");
                },
                [this](AcceptedConnection connection) { return take_tls(std::move(connection)); }},
      addresses_(needs_.own_ports),
      intercepted_(
          kMostHosts,
          [this](const std::string& host, std::uint16_t port) {
            return make_interception(host, port);
          },
          [this](const std::string& host) { tls_.forget(host); }),
      refused_([this](const capture::RefusedCalls& refused) {
        spdlog::warn("proxy: refused {} connections to {}: {}", refused.calls, refused.subject,
                     refused.message);
        needs_.recorder.note_event("proxy-refused", event_details(refused));
      }),
      flagged_([this](const capture::RefusedCalls& flagged) {
        spdlog::warn("proxy: {} connections to {}: {}", flagged.calls, flagged.subject,
                     flagged.message);
        needs_.recorder.note_event("proxy-flagged", event_details(flagged));
      }) {}

Interceptor::Verdict Interceptor::judge(const Authority& authority) const {
  Verdict verdict{hosts_.judge(authority.host), "", ""};
  const std::string& region = needs_.configuration.region;
  switch (verdict.kind) {
    case Kind::intercept:
      if (authority.port != kHttpsPort) {
        verdict.why = "port";
        verdict.message = "invlog: Bedrock is reached at port 443, not " + text_of(authority);
      } else if (!hosts_.is_named(authority.host) && !intercepted_.has_room_for(authority.host)) {
        verdict.why = "too-many-hosts";
        verdict.message = "invlog: " + std::to_string(kMostHosts) +
                          " names of Bedrock's endpoints are in use already";
      }
      break;
    case Kind::other_region:
      verdict.message =
          authority.host + " is Bedrock in another Region than " + region + ", this agent's";
      if (configuration_.other_regions == config::OtherRegions::flag) {
        verdict.flag = "other-region";
      } else {
        verdict.why = "other-region";
        verdict.message = "invlog: " + verdict.message +
                          ": call the Region's own endpoint, or an agent of that Region "
                          "([proxy] other_regions)";
      }
      break;
    case Kind::mantle:
      verdict.flag = "bedrock-mantle";
      verdict.message = authority.host + " is bedrock-mantle, whose calls are not recorded";
      [[fallthrough]];
    case Kind::other:
      if (configuration_.other_hosts == config::OtherHosts::refuse) {
        verdict.why = "other-host";
        verdict.message = "invlog: " + authority.host + " is not the Bedrock runtime of " + region +
                          ", and other hosts are not passed on ([proxy] other_hosts)";
      }
      break;
  }
  return verdict;
}

void Interceptor::note_refusal(const Authority& authority, const Verdict& verdict) {
  ++needs_.statistics.proxy.refused;
  refused_.note(verdict.why, text_of(authority), verdict.message, std::chrono::steady_clock::now());
}

void Interceptor::note_refusal(const Authority& authority,
                               const TunnelAddresses::Refusal& refusal) {
  note_refusal(authority, Verdict{Kind::other, refusal.why, refusal.message});
}

void Interceptor::note_flag(const Authority& authority, const Verdict& verdict) {
  if (verdict.flag.empty())
    return;
  ++needs_.statistics.proxy.flagged;
  flagged_.note(verdict.flag, text_of(authority), verdict.message,
                std::chrono::steady_clock::now());
}

Task<void> Interceptor::refuse(Exchange& exchange, int status, std::string message) {
  exchange.leave_body();
  const capture::LocalResponse answer =
      capture::aws_error(status,
                         status == 403   ? "AccessDeniedException"
                         : status == 502 ? "ServiceUnavailableException"
                                         : "ValidationException",
                         message);
  co_await capture::give_response(exchange, answer.head, answer.body);
}

Task<void> Interceptor::connect(Exchange& exchange) {
  if (!co_await needs_.gate.admit(exchange))
    co_return;
  const auto authority = parse_authority(exchange.request().target);
  if (!authority) {
    co_await refuse(exchange, 400, "invlog: CONNECT: " + authority.error());
    co_return;
  }
  const Verdict verdict = judge(*authority);
  if (!verdict.why.empty()) {
    note_refusal(*authority, verdict);
    co_await refuse(exchange, 403, verdict.message);
    co_return;
  }
  exchange.leave_body();
  if (verdict.kind == Kind::intercept) {
    // A variable: GCC 12 destroys a temporary of an awaited expression twice (bug 104031).
    capture::Turn turn = [this, to = *authority](AcceptedConnection connection) {
      return terminate(std::move(connection), to.host, to.port);
    };
    co_await exchange.turn_over(std::move(turn));
    co_return;
  }
  note_flag(*authority, verdict);
  const auto route = std::make_shared<TunnelRoute>();
  const std::string problem = co_await reach(*authority, is_on_this_host(exchange.peer()), *route);
  if (route->refusal) {
    note_refusal(*authority, *route->refusal);
    co_await refuse(exchange, 403, route->refusal->message);
    co_return;
  }
  if (!problem.empty()) {
    co_await refuse(exchange, 502, "invlog: " + text_of(*authority) + ": " + problem);
    co_return;
  }
  capture::Turn turn = [this, kept = route,
                        to = *authority](AcceptedConnection connection) mutable {
    return tunnel_unless_bedrock(std::move(connection), std::move(kept), to);
  };
  co_await exchange.turn_over(std::move(turn));
}

Task<std::string> Interceptor::reach(const Authority& authority, bool local_caller,
                                     TunnelRoute& route) {
  for (SplicePipe* pipe : {&route.there, &route.back}) {
    if (const error_code failure = pipe->open())
      co_return "no pipe for a tunnel: " + failure.message();
  }
  auto endpoint = capture::parse_upstream("https://" + text_of(authority), needs_.environment);
  if (!endpoint)
    co_return endpoint.error();
  endpoint->tls = false;
  endpoint->connect_timeout = needs_.configuration.connect_timeout;
  endpoint->names = needs_.tunnel_names;
  const std::string name = route.name = text_of(authority);
  const auto may_reach = [this, name, local_caller, &route](const TunnelAddresses::Endpoint& to) {
    const auto refusal = addresses_.refusal(to, local_caller);
    if (refusal)
      route.refusal = {refusal->why, "invlog: " + name + " " + refusal->message};
    return !refusal;
  };
  // A company's proxy resolves names itself, and not to what is here.
  const bool by_proxy = endpoint->proxy.has_value();
  error_code no_address;
  const auto address = asio::ip::make_address(authority.host, no_address);
  if (by_proxy && !no_address && !may_reach({address, authority.port}))
    co_return route.refusal->message;
  route.far = std::make_shared<capture::UpstreamConnection>(
      needs_.executor, std::make_shared<const capture::UpstreamEndpoint>(std::move(*endpoint)),
      nullptr, needs_.own);
  if (!by_proxy)
    route.far->set_may_reach(may_reach);
  bool late = false;
  capture::Watchdog::Deadline deadline(needs_.sessions.watchdog, [&] {
    late = true;
    route.far->cancel();
  });
  deadline.arm(needs_.configuration.connect_timeout);
  std::string problem = co_await route.far->open();
  if (!route.far->barred())
    route.refusal.reset();
  if (late) {
    problem = "no connection within " +
              std::to_string(needs_.configuration.connect_timeout.count()) + " ms";
  }
  co_return problem;
}

Task<bool> Interceptor::hear_first(AcceptedConnection& connection, TunnelRoute& route,
                                   ClientHello& hello) {
  // Who ends Bedrock's TLS speaks second: what a server says first is for another protocol.
  if (connection.first_bytes.empty() && !route.far->early_bytes.empty())
    co_return true;
  capture::OpeningConnection opening(connection.stream, needs_.sessions);
  if (connection.first_bytes.empty()) {
    capture::probe_for_tunnel(connection.stream.native_handle());
    capture::probe_for_tunnel(route.far->socket().native_handle());
    if (!needs_.sessions.sessions.draining())
      opening.wait_at_most(needs_.sessions.options.tunnel_timeout);
    co_await either_side_speaks(connection.stream, route);
    if (!connection.stream.is_open()) {
      if (!needs_.sessions.sessions.draining())
        spdlog::debug("proxy: a tunnel to {} ends: neither side has said anything", route.name);
      co_return false;
    }
    if (!connection.stream.has_unread())
      co_return true;
  }
  opening.hurry(needs_.sessions.options.header_timeout);
  co_return co_await read_hello(connection, hello);
}

Task<void> Interceptor::tunnel_unless_bedrock(AcceptedConnection connection,
                                              std::shared_ptr<TunnelRoute> route,
                                              Authority authority) {
  ClientHello hello;
  if (!co_await hear_first(connection, *route, hello))
    co_return;
  const Authority named{std::move(hello.server_name), authority.port};
  // CONNECT's own name is judged already; two others may well differ.
  if (named.host.empty() || named.host == authority.host ||
      hosts_.judge(named.host) == Kind::other) {
    co_await tunnel(std::move(connection), std::move(route));
    co_return;
  }
  Verdict verdict = judge(named);
  if (!verdict.why.empty()) {
    verdict.why = "server-name";
    verdict.message += "; this server name came behind CONNECT " + text_of(authority);
    note_refusal(named, verdict);
    send_last(connection.stream, kUnrecognizedName);
    co_return;
  }
  if (verdict.kind == Kind::intercept) {
    route.reset();
    co_await terminate(std::move(connection), named.host, named.port);
    co_return;
  }
  note_flag(named, verdict);
  co_await tunnel(std::move(connection), std::move(route));
}

Task<void> Interceptor::tunnel(AcceptedConnection connection, std::shared_ptr<TunnelRoute> route) {
  const auto tunnel = std::make_shared<Tunnel>(std::move(connection.stream), std::move(route),
                                               needs_.sessions, needs_.statistics.proxy);
  co_await tunnel->run(std::move(connection.first_bytes));
}

std::shared_ptr<capture::Interception> Interceptor::make_interception(const std::string& host,
                                                                      std::uint16_t port) const {
  const std::string url = "https://" + config::host_and_port(host, port);
  auto parsed = capture::parse_upstream(url, needs_.environment);
  if (!parsed) {
    needs_.statistics.note_error("proxy: " + host + ": " + parsed.error());
    return nullptr;
  }
  capture::UpstreamEndpoint endpoint = std::move(*parsed);
  endpoint.connect_timeout = needs_.configuration.connect_timeout;
  endpoint.names = needs_.names;
  endpoint.connect_host = configuration_.connect_host;
  endpoint.connect_port = configuration_.connect_port;
  capture::UpstreamEndpoint http2 = endpoint;
  http2.offers_http2 = true;
  const auto pool = [&](capture::UpstreamEndpoint to) {
    return capture::UpstreamPool(needs_.executor, std::move(to), &needs_.upstream_tls, needs_.own);
  };
  return std::make_shared<capture::Interception>(
      capture::Interception{host, port, pool(endpoint), pool(http2)});
}

Task<void> Interceptor::terminate(AcceptedConnection connection, std::string host,
                                  std::uint16_t port) {
  // From here on, so that the leaf stays while the handshake needs it.
  connection.interception = intercepted_.take(host, port, hosts_.is_named(host));
  if (!connection.interception) {
    send_last(connection.stream, kUnrecognizedName);
    co_return;
  }
  auto session = tls_.open(host);
  if (!session) {
    needs_.statistics.note_error(session.error());
    no_tls_.say(std::chrono::steady_clock::now(), "proxy: " + session.error());
    send_last(connection.stream, kUnrecognizedName);
    co_return;
  }
  if (!co_await hear_hello(connection, std::move(*session), host))
    co_return;
  ++needs_.statistics.proxy.intercepted;
  connection.first_bytes.clear();
  const bool http2 = connection.stream.protocol() == "h2";
  co_await capture::serve_session(std::move(connection), needs_.sessions,
                                  needs_.sessions.endpoint.handler, http2);
}

Task<bool> Interceptor::hear_hello(AcceptedConnection& connection,
                                   capture::TlsContext::Session session, const std::string& host) {
  capture::OpeningConnection opening(connection.stream, needs_.sessions);
  opening.hurry(needs_.sessions.options.header_timeout);
  std::string& bytes = connection.first_bytes;
  while (bytes.empty()) {
    char piece[4096];
    error_code failure;
    const std::size_t count = co_await connection.stream.async_read_some(
        asio::buffer(piece), asio::redirect_error(use_task, failure));
    if (failure)
      co_return false;
    bytes.assign(piece, count);
  }
  std::string problem;
  if (!capture::may_be_tls(bytes)) {
    problem = "the client began without TLS";
    send_last(connection.stream,
              capture::last_response_text(capture::aws_error(
                  400, "ValidationException",
                  "invlog: only https is spoken behind CONNECT " + host + ":443")));
  } else {
    problem = co_await connection.stream.accept_tls(std::move(session), bytes);
    if (problem == "callback failed")  // ServerTls's, which compares the names
      problem = "it asked for another host by its TLS server name";
  }
  if (problem.empty())
    co_return true;
  ++needs_.statistics.proxy.tls_failed;
  const bool untrusted = problem.find("unknown ca") != std::string::npos ||
                         problem.find("bad certificate") != std::string::npos ||
                         problem.find("certificate unknown") != std::string::npos;
  no_tls_.say(std::chrono::steady_clock::now(),
              "proxy: TLS with an application for " + host + " did not begin: " + problem +
                  (untrusted ? ": it does not trust the local certificate authority: set "
                               "AWS_CA_BUNDLE (`invlog exec`, `invlog ca bundle`)"
                             : ""));
  connection.stream.cut();
  co_return false;
}

Task<void> Interceptor::refuse_own(AcceptedConnection connection) {
  const bool tls = capture::may_be_tls(connection.first_bytes);
  const std::string message =
      "this connection was made by the agent itself: its host's name or a tunnel leads back to it";
  loop_.say(
      std::chrono::steady_clock::now(),
      "proxy: " + message +
          "; where that is Bedrock's name, resolved so for everybody, set [proxy] connect_to");
  error_code failure;
  const auto local = connection.stream.socket().local_endpoint(failure);
  sockaddr_storage address{};
  std::memcpy(&address, local.data(), std::min(local.size(), sizeof address));
  if (const auto here = capture::tcp_endpoint_of(address)) {
    note_refusal({here->address().to_string(), here->port()},
                 TunnelAddresses::Refusal{"own-connection", "invlog: " + message});
  }
  const std::string refused = capture::last_response_text(
      capture::aws_error(403, "AccessDeniedException", "invlog: " + message));
  send_last(connection.stream, tls ? kUnrecognizedName : std::string_view(refused));
  co_return;
}

Task<void> Interceptor::take_tls(AcceptedConnection connection) {
  ClientHello hello;
  {
    capture::OpeningConnection opening(connection.stream, needs_.sessions);
    opening.hurry(needs_.sessions.options.header_timeout);
    if (!co_await read_hello(connection, hello))
      co_return;
  }
  if (hello.state == ClientHello::State::malformed) {
    ++needs_.statistics.proxy.tls_failed;
    co_return;
  }
  co_await decide_by_name(std::move(connection), std::move(hello.server_name));
}

Task<void> Interceptor::decide_by_name(AcceptedConnection connection, std::string name) {
  const Authority authority{name.empty() ? "(no server name)" : name, kHttpsPort};
  Verdict verdict = judge(authority);
  if (name.empty() && verdict.why.empty()) {
    verdict.why = "no-server-name";
    verdict.message = "invlog: a TLS client that names no host cannot be passed on";
  }
  if (verdict.why.empty() && verdict.kind == Kind::intercept) {
    co_await terminate(std::move(connection), authority.host, authority.port);
    co_return;
  }
  if (!verdict.why.empty()) {
    note_refusal(authority, verdict);
  } else if (auto route = co_await find_route(connection, authority, verdict)) {
    co_await tunnel(std::move(connection), std::move(route));
    co_return;
  }
  send_last(connection.stream, kUnrecognizedName);
}

Task<std::shared_ptr<TunnelRoute>> Interceptor::find_route(AcceptedConnection& connection,
                                                           const Authority& authority,
                                                           const Verdict& verdict) {
  auto route = std::make_shared<TunnelRoute>();
  const OpeningTunnel opening(connection.stream, *route, needs_.sessions);
  if (!co_await needs_.gate.admits(connection.caller) || !connection.stream.is_open())
    co_return nullptr;
  note_flag(authority, verdict);
  const std::string problem =
      co_await reach(authority, is_on_this_host(connection.caller.peer()), *route);
  if (!connection.stream.is_open())
    co_return nullptr;
  if (problem.empty())
    co_return route;
  if (route->refusal)
    note_refusal(authority, *route->refusal);
  else
    needs_.statistics.note_error("proxy: " + text_of(authority) + ": " + problem);
  co_return nullptr;
}

void Interceptor::tick(std::chrono::steady_clock::time_point now) {
  refused_.tick(now);
  flagged_.tick(now);
  intercepted_.drop_idle();
}

void Interceptor::close() {
  refused_.flush();
  flagged_.flush();
  intercepted_.close();
}

std::size_t Interceptor::idle_connections() const {
  return intercepted_.idle_connections();
}

}  // namespace invlog::proxy

// The proxy's port: decides by the name of the host that a connection is for (CONNECT's target, or
// the server name in the hello of a TLS connection that came without one) whether it is
// intercepted, tunnelled blindly or refused, and does that. Before a tunnel passes a byte of its
// client's, the server name in it is judged as well: a CONNECT to Bedrock's address, or to another
// name for it, is no way past the record.
//
// An intercepted connection becomes a session like any other; its calls are recorded, judged and
// limited by the same code as in endpoint mode, and go to the host as they are (proxied_call.h).
//
// Thread: the I/O thread. Ownership: what Needs refers to must outlive it, and it the sessions.
// Errors: refusals are answered: 403 in AWS's shape to a CONNECT, an alert to a TLS hello; each is
// counted, logged and told of by an event `proxy-refused` (`proxy-flagged` for a tunnel to another
// Region's Bedrock or to bedrock-mantle), at most once a minute for each host.
#pragma once

#include <memory>
#include <string>

#include "agent/capture/access_gate.h"
#include "agent/capture/capture_session.h"
#include "agent/capture/own_sockets.h"
#include "agent/capture/rare_warning.h"
#include "agent/capture/refusal_log.h"
#include "agent/capture/statistics.h"
#include "agent/config/agent_config.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/intercepted_hosts.h"
#include "agent/proxy/server_tls.h"
#include "agent/proxy/tunnel_addresses.h"

namespace invlog::proxy {

struct ClientHello;
struct TunnelRoute;

class Interceptor {
 public:
  struct Needs {
    capture::Executor executor;
    const config::AgentConfig& configuration;
    aws::Environment environment;  // for HTTPS_PROXY and NO_PROXY
    const capture::TlsContext& upstream_tls;
    capture::SessionServices& sessions;
    capture::AccessGate& gate;
    capture::Recorder& recorder;
    capture::Statistics& statistics;
    std::shared_ptr<capture::OwnSockets> own;
    std::shared_ptr<capture::NameLookup> names;         // of intercepted hosts
    std::shared_ptr<capture::NameLookup> tunnel_names;  // of all others
    TunnelAddresses::OwnPorts own_ports;                // where the agent listens
  };

  Interceptor(Needs needs, CertificateAuthority authority, ServerTls::Clock clock);

  // Of the proxy's own port.
  const capture::Entrance& entrance() const { return entrance_; }
  // Answers a CONNECT.
  capture::Task<void> connect(capture::Exchange& exchange);
  // Takes a connection that begins with TLS.
  capture::Task<void> take_tls(capture::AcceptedConnection connection);

  // Takes a connection that the agent itself made, and ends it.
  capture::Task<void> refuse_own(capture::AcceptedConnection connection);

  // After `invlog ca rotate`: leaves come from the new authority. False: it is the one it has.
  bool replace(CertificateAuthority authority) { return tls_.replace(std::move(authority)); }
  void tick(std::chrono::steady_clock::time_point now);
  // At the end.
  void close();
  std::size_t idle_connections() const;

 private:
  struct Verdict {
    BedrockHosts::Kind kind;
    std::string why;        // a short constant, "" not refused
    std::string message;    // for the client, if it is refused or flagged
    std::string flag = {};  // a short constant, "" not flagged
  };

  Verdict judge(const Authority& authority) const;
  void note_refusal(const Authority& authority, const Verdict& verdict);
  void note_flag(const Authority& authority, const Verdict& verdict);
  capture::Task<void> refuse(capture::Exchange& exchange, int status, std::string message);
  // "" or what went wrong; the route says whether that is a refusal.
  capture::Task<std::string> reach(const Authority& authority, bool local_caller,
                                   TunnelRoute& route);
  void note_refusal(const Authority& authority, const TunnelAddresses::Refusal& refusal);
  // Goes on with what came by CONNECT: a host that is no Bedrock by the name there may be it by the
  // name that TLS then asks for.
  capture::Task<void> tunnel_unless_bedrock(capture::AcceptedConnection connection,
                                            std::shared_ptr<TunnelRoute> route,
                                            Authority authority);
  capture::Task<bool> hear_first(capture::AcceptedConnection& connection, TunnelRoute& route,
                                 ClientHello& hello);
  capture::Task<void> tunnel(capture::AcceptedConnection connection,
                             std::shared_ptr<TunnelRoute> route);
  capture::Task<void> terminate(capture::AcceptedConnection connection, std::string host,
                                std::uint16_t port);
  capture::Task<bool> hear_hello(capture::AcceptedConnection& connection,
                                 capture::TlsContext::Session session, const std::string& host);
  capture::Task<void> decide_by_name(capture::AcceptedConnection connection, std::string name);
  // Null: there is none, which was noted, or the connection has ended.
  capture::Task<std::shared_ptr<TunnelRoute>> find_route(capture::AcceptedConnection& connection,
                                                         const Authority& authority,
                                                         const Verdict& verdict);
  // Null: there is no way to the host, which was noted.
  std::shared_ptr<capture::Interception> make_interception(const std::string& host,
                                                           std::uint16_t port) const;

  Needs needs_;
  const config::ProxyConfig configuration_;
  BedrockHosts hosts_;
  ServerTls tls_;
  capture::Entrance entrance_;
  TunnelAddresses addresses_;
  InterceptedHosts intercepted_;
  capture::RefusalLog refused_, flagged_;
  capture::RareWarning no_tls_, loop_;
};

}  // namespace invlog::proxy

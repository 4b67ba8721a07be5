#include "agent/cli/proxy_search.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "agent/cli/agent_search.h"
#include "agent/config/permission_advice.h"
#include "agent/config/setting_checks.h"
#include "agent/proxy/authority_files.h"

namespace invlog::cli {
namespace {

using proxy::CertificateAuthority;

// Why a program of this user cannot read it, "" it can.
std::string unreadable(const std::string& path) {
  if (::access(path.c_str(), R_OK) == 0) {
    return "";
  }
  const int cause = errno;
  return path + " cannot be read: " + std::strerror(cause) +
         (cause == EACCES   ? "; " + config::advice_to_read(path)
          : cause == ENOENT ? "; `invlog ca bundle --update` makes it"
                            : "");
}

// Of an agent that runs, what it says; else what is configured.
std::string address_of(const config::ProxyConfig& settings, const AgentStatus& status,
                       const std::optional<std::string>& listen) {
  if (listen) {
    return *listen;
  }
  return status.running && !status.proxy_listen.empty()
             ? status.proxy_listen
             : config::host_and_port(settings.listen_host, settings.listen_port);
}

}  // namespace

std::string unheeded_authority(const AgentStatus& status) {
  return status.running && status.proxy_listen.empty()
             ? "the agent that runs does not listen in proxy mode: it was started before there was "
               "what that needs"
             : "";
}

tl::expected<ProxySearch, std::string> find_proxy(CallMode mode,
                                                  const config::AgentConfig& configuration,
                                                  const AgentStatus& status,
                                                  const std::optional<std::string>& listen) {
  const std::string& state_dir = configuration.state_dir;
  const std::string ca_file = CertificateAuthority::certificate_path(state_dir);
  const std::string bundle_file = proxy::bundle_path_in(state_dir);
  const bool asked = mode == CallMode::proxy;
  if (mode == CallMode::endpoint || (listen && !asked)) {
    return ProxySearch{};
  }
  if (::access(ca_file.c_str(), F_OK) != 0) {
    const std::string hidden = errno == EACCES
                                   ? ca_file + " cannot be looked for: Permission denied; " +
                                         config::advice_to_read(ca_file)
                                   : "";
    if (asked) {
      return tl::unexpected(hidden.empty() ? "there is no certificate authority in " + state_dir +
                                                 ": `invlog ca init` makes one"
                                           : hidden);
    }
    return ProxySearch{std::nullopt,
                       hidden.empty() ? "" : hidden + ". Endpoint mode is taken (--mode endpoint)"};
  }
  if (configuration.proxy.listen_host.empty() && !listen) {
    return asked ? tl::unexpected(std::string("[proxy] listen is \"\": proxy mode is off"))
                 : tl::expected<ProxySearch, std::string>(ProxySearch{});
  }
  for (const std::string& file : {ca_file, bundle_file}) {
    if (std::string problem = unreadable(file); !problem.empty()) {
      return tl::unexpected(std::move(problem));
    }
  }
  const auto certificates = proxy::certificates_in(ca_file);
  if (!certificates) {
    return tl::unexpected(certificates.error());
  }
  AgentEndpoint checked;
  if (listen && !config::split_host_and_port(*listen, checked.host, checked.port)) {
    return tl::unexpected("--listen: " + *listen + " is not HOST:PORT");
  }
  const auto endpoint = endpoint_among({address_of(configuration.proxy, status, listen)});
  if (!endpoint) {
    return tl::unexpected("proxy mode: " + endpoint.error());
  }
  const std::string unheeded = listen ? "" : unheeded_authority(status);
  return ProxySearch{ProxyAccess{*endpoint, ca_file, bundle_file,
                                 proxy::facts_of(certificates->front().get()).permitted},
                     unheeded.empty() ? "" : unheeded + "; restart it (systemctl restart invlog)"};
}

}  // namespace invlog::cli

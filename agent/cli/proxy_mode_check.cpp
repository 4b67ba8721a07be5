#include "agent/cli/proxy_mode_check.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "agent/capture/upstream_endpoint.h"
#include "agent/cli/display_text.h"
#include "agent/cli/proxy_search.h"
#include "agent/config/permission_advice.h"
#include "agent/config/setting_checks.h"
#include "agent/proxy/authority_files.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/system_roots.h"

namespace invlog::cli {
namespace {

using proxy::CertificateAuthority;
using proxy::Certificates;

constexpr const char* kAuthority = "certificate authority";
constexpr std::chrono::hours kRotateBefore{30 * 24};

void check_names(const config::AgentConfig& configuration,
                 const std::vector<std::string>& permitted, Diagnosis& diagnosis) {
  std::string missing;
  const proxy::BedrockHosts hosts(configuration.region, configuration.proxy.hosts);
  for (const std::string& name : hosts.permitted_names()) {
    if (std::find(permitted.begin(), permitted.end(), name) == permitted.end())
      missing += (missing.empty() ? "" : ", ") + name;
  }
  if (!missing.empty()) {
    diagnosis.warning(kAuthority, "it does not permit " + printable(missing),
                      "sudo invlog ca rotate: until then programs cannot call these");
  }
}

void check_life(const proxy::CertificateFacts& facts, std::chrono::system_clock::time_point now,
                Diagnosis& diagnosis) {
  const std::string until = "valid until " + proxy::readable_time(facts.not_after);
  if (facts.not_after - now < kRotateBefore) {
    diagnosis.warning(kAuthority, until,
                      "sudo invlog ca rotate, while programs that have the old ca.pem still go on");
  } else {
    diagnosis.ok(kAuthority, until);
  }
}

std::set<std::string> told_apart(const Certificates& certificates) {
  std::set<std::string> known;
  for (const proxy::Certificate& certificate : certificates)
    known.insert(proxy::der_of(certificate.get()));
  return known;
}

long long count_missing(const std::set<std::string>& wanted, const std::set<std::string>& there) {
  return std::count_if(wanted.begin(), wanted.end(),
                       [&](const std::string& each) { return there.count(each) == 0; });
}

// sudo takes the variable away, and with it what would be added.
std::string update_advice(const proxy::SystemRoots& roots, const aws::Environment& environment) {
  if (!roots.added.empty())
    return "sudo SSL_CERT_FILE=" + printable(aws::value_of(environment, "SSL_CERT_FILE")) +
           " invlog ca bundle --update";
  return "sudo invlog ca bundle --update (SSL_CERT_FILE=FILE before `invlog` keeps what a file of "
         "yours has besides)";
}

void check_bundle(const std::string& state_dir, const Certificates& own,
                  const aws::Environment& environment, Diagnosis& diagnosis) {
  const std::string path = proxy::bundle_path_in(state_dir);
  const auto bundle = proxy::certificates_in(path);
  if (!bundle) {
    diagnosis.failed("certificate bundle", bundle.error(), "sudo invlog ca bundle --update");
    return;
  }
  const auto roots = proxy::system_roots(environment, state_dir);
  if (!roots) {
    diagnosis.failed("certificate bundle", roots.error(), "");
    return;
  }
  const std::set<std::string> there = told_apart(*bundle);
  std::set<std::string> wanted = told_apart(roots->certificates);
  wanted.merge(told_apart(own));
  const long long missing = count_missing(wanted, there), left = count_missing(there, wanted);
  const std::string certificates = counted(static_cast<long long>(there.size()), "certificate");
  if (missing == 0 && left == 0) {
    diagnosis.ok("certificate bundle", path + ", " + certificates);
    return;
  }
  diagnosis.warning("certificate bundle",
                    path + " differs from what this system trusts now: " + std::to_string(missing) +
                        " of its certificates are missing, " + std::to_string(left) +
                        " are no longer trusted",
                    update_advice(*roots, environment));
}

// The address of an agent that runs, else the configured one.
void check_listening(const config::ProxyConfig& settings, const AgentStatus& agent,
                     Diagnosis& diagnosis) {
  const std::string subject = "proxy mode";
  const std::string unheeded = unheeded_authority(agent);
  if (agent.running && unheeded.empty()) {
    diagnosis.note(subject, "on at " + printable(agent.proxy_listen));
  } else if (settings.listen_host.empty()) {
    diagnosis.note(subject, "[proxy] listen is \"\": on only with sockets of systemd");
  } else if (!unheeded.empty()) {
    diagnosis.warning(subject, unheeded, "restart the agent: systemctl restart invlog");
  } else {
    diagnosis.note(subject, "on at " +
                                config::host_and_port(settings.listen_host, settings.listen_port) +
                                " when the agent runs");
  }
}

// The agent's own variables are not known here, but those of the host's users often are the same.
void check_company_proxy(const aws::Environment& environment, Diagnosis& diagnosis) {
  const auto proxy = capture::company_proxy(environment);
  if (!proxy) {
    diagnosis.warning(
        "proxy mode", proxy.error(),
        "give the agent another HTTPS_PROXY, or none: it does not start with this one");
  }
}

}  // namespace

void check_proxy_mode(const config::AgentConfig& configuration, const AgentStatus& agent,
                      const aws::Environment& environment,
                      std::chrono::system_clock::time_point now, Diagnosis& diagnosis) {
  const std::string& state_dir = configuration.state_dir;
  const std::string path = CertificateAuthority::certificate_path(state_dir);
  if (!CertificateAuthority::exists(state_dir)) {
    diagnosis.note("proxy mode", "off: no certificate authority (`invlog ca init` makes one)");
    return;
  }
  check_listening(configuration.proxy, agent, diagnosis);
  check_company_proxy(environment, diagnosis);
  const auto trusted = proxy::certificates_in(path);
  if (!trusted) {
    diagnosis.failed(kAuthority, trusted.error(),
                     proxy::is_unreadable(path) ? config::advice_to_read(path) : "");
    return;
  }
  const auto authority = CertificateAuthority::read(state_dir);
  if (authority) {
    const proxy::CertificateFacts facts = proxy::facts_of(authority->certificate());
    if (const std::string problem = authority->validity_problem(now); !problem.empty())
      diagnosis.failed(kAuthority, problem, "");
    else
      check_life(facts, now, diagnosis);
    check_names(configuration, facts.permitted, diagnosis);
  } else if (proxy::is_unreadable(proxy::key_path_in(state_dir))) {
    diagnosis.note(kAuthority, "its key is not for this user, who cannot tell which is in use");
  } else {
    diagnosis.failed(kAuthority, authority.error(), "");
  }
  check_bundle(state_dir, *trusted, environment, diagnosis);
}

}  // namespace invlog::cli

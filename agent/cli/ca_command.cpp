#include "agent/cli/ca_command.h"

#include <algorithm>

#include "agent/cli/display_text.h"
#include "agent/cli/output_file.h"
#include "agent/cli/proxy_search.h"
#include "agent/cli/store_access.h"
#include "agent/config/config_loader.h"
#include "agent/config/setting_checks.h"
#include "agent/config/settings.h"
#include "agent/delivery/aws_access.h"
#include "agent/proxy/authority_files.h"
#include "agent/proxy/bedrock_hosts.h"
#include "agent/proxy/system_roots.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

using proxy::AuthorityFiles;
using proxy::CertificateAuthority;
using proxy::CertificateFacts;
using proxy::Certificates;

constexpr mode_t kForAll = 0644;

int failed(std::ostream& err, const std::string& why, int exit_code = kFailure) {
  err << "invlog ca: " << why << '\n';
  return exit_code;
}

// Where it is known what the authority is for, the Region must be.
tl::expected<config::AgentConfig, std::string> configuration_of(const AuthorityAccess& access,
                                                                bool region_optional) {
  config::ConfigSources sources;
  sources.file = access.config_file;
  sources.default_file = access.default_config_file;
  sources.environment = access.environment;
  sources.instance_region = region_optional ? nullptr : access.instance_region;
  sources.region_optional = region_optional;
  if (access.region) {
    sources.flags["region"] = *access.region;
  }
  if (access.state_dir) {
    sources.flags["state_dir"] = *access.state_dir;
  }
  return config::load_agent_config(sources);
}

proxy::AuthorityPurpose purpose_of(const config::AgentConfig& configuration) {
  return {configuration.region, delivery::host_name(),
          proxy::BedrockHosts(configuration.region, configuration.proxy.hosts).permitted_names()};
}

// What somebody named for this bundle is in those to come, too, whatever the environment is then.
tl::expected<void, std::string> keep_added(const proxy::SystemRoots& roots,
                                           const std::string& state_dir, std::ostream& out) {
  if (roots.added.empty()) {
    return {};
  }
  auto kept = AuthorityFiles(state_dir).keep(roots.added);
  if (kept) {
    out << "Kept " << counted(static_cast<long long>(roots.added.size()), "certificate")
        << " of SSL_CERT_FILE, which the system does not have, in "
        << printable(proxy::extra_path_in(state_dir)) << ".\n";
  }
  return kept;
}

std::string listed(const std::vector<std::string>& texts) {
  std::string all;
  for (const std::string& text : texts) {
    all += (all.empty() ? "" : ", ") + text;
  }
  return printable(all);
}

std::string no_roots(const proxy::SystemRoots& roots) {
  return "no certificate authorities of the system were found (" + listed(roots.places) +
         "): install ca-certificates, or name a file with SSL_CERT_FILE";
}

void warn_of_no_roots(const proxy::SystemRoots& roots, const std::string& bundle,
                      std::ostream& err) {
  if (roots.certificates.empty()) {
    err << "invlog ca: " << no_roots(roots) << ". Until then " << printable(bundle)
        << " has invlog's own only, and programs that get it trust no other host. Then: invlog ca "
           "bundle --update\n";
  }
}

void print_facts(const CertificateFacts& facts, std::ostream& out) {
  print_field(out, "name", printable(facts.subject));
  print_field(out, "SHA-256", facts.fingerprint);
  print_field(
      out, "valid",
      proxy::readable_time(facts.not_before) + " to " + proxy::readable_time(facts.not_after));
  const char* name = "permits";
  for (const std::string& permitted : facts.permitted) {
    print_field(out, name, printable(permitted));
    name = "";
  }
}

// What init and rotate have in place now.
void print_new_authority(const config::AgentConfig& configuration, std::size_t system_roots,
                         std::ostream& out) {
  const std::string& state_dir = configuration.state_dir;
  const std::string path = CertificateAuthority::certificate_path(state_dir);
  print_field(out, "certificate", printable(path));
  if (const auto certificates = proxy::certificates_in(path)) {
    print_facts(proxy::facts_of(certificates->front().get()), out);
  }
  print_field(out, "bundle",
              printable(proxy::bundle_path_in(state_dir)) + ": with the system's " +
                  counted(static_cast<long long>(system_roots), "root"));
}

std::string restart_advice(const config::ProxyConfig& settings) {
  if (settings.listen_host.empty()) {
    return "Proxy mode is off: set `listen` below [proxy], then restart the agent.";
  }
  return "Restart the agent (systemctl restart invlog); it then listens on " +
         config::host_and_port(settings.listen_host, settings.listen_port) + " as a proxy.";
}

void print_next_steps(const config::AgentConfig& configuration, std::ostream& out) {
  const std::string ca = printable(CertificateAuthority::certificate_path(configuration.state_dir));
  const std::string bundle = printable(proxy::bundle_path_in(configuration.state_dir));
  const config::ProxyConfig& settings = configuration.proxy;
  const std::string host = settings.listen_host.empty() ? "127.0.0.1" : settings.listen_host;
  out << "\nNext:\n  1. " << restart_advice(settings)
      << "\n  2. Run programs with `invlog exec -- CMD`, or set what `invlog env` prints:\n"
      << "     HTTPS_PROXY=http://" << config::host_and_port(host, settings.listen_port)
      << "\n     AWS_CA_BUNDLE, SSL_CERT_FILE, REQUESTS_CA_BUNDLE=" << bundle
      << "\n     NODE_EXTRA_CA_CERTS=" << ca << " (the bundle for a program that has it set)\n";
}

void print_overlap(const proxy::Overlap& overlap, bool in_force, std::ostream& out) {
  if (!in_force) {
    out << "\nThe one before has expired: programs need the new files, at once.\n";
    return;
  }
  out << "\nBoth are trusted until " << proxy::readable_time(overlap.until)
      << ": programs that have only the old ca.pem go on until then.\n";
  if (!overlap.new_names.empty()) {
    out << "Only with the new files they may call " << listed(overlap.new_names)
        << ", which the one before does not permit.\n";
  }
}

// One authority of ca.pem.
struct Shown {
  CertificateFacts facts;
  std::string state;  // "in use", "trusted", "expired", "never used"
};

struct Authority {
  Certificates certificates;
  std::vector<Shown> shown;
  std::string problem;  // why the agent cannot use it, "" it can, or this user cannot tell
  std::string vouched_by;
  bool key_hidden = false;  // from this user, as it should be
};

// Those before the one in use are of a rotation that did not come to its end.
void add_states(Authority& authority, const X509* in_use, CertificateAuthority::Time now) {
  const std::string used = in_use == nullptr ? "" : proxy::der_of(in_use);
  bool seen = used.empty();
  for (const proxy::Certificate& certificate : authority.certificates) {
    Shown shown{proxy::facts_of(certificate.get()), "trusted"};
    if (proxy::der_of(certificate.get()) == used) {
      seen = true;
      shown.state = "in use";
    } else if (!seen) {
      shown.state = "never used: a rotation was cut off; repeat it";
    }
    if (shown.facts.not_after <= now) {
      shown.state = "expired";
    }
    authority.shown.push_back(std::move(shown));
  }
}

tl::expected<Authority, std::string> look_at(const std::string& state_dir,
                                             CertificateAuthority::Time now) {
  const auto used = CertificateAuthority::read(state_dir);
  auto certificates = proxy::certificates_in(CertificateAuthority::certificate_path(state_dir));
  if (!certificates) {
    return tl::unexpected(used ? certificates.error() : used.error());
  }
  Authority authority;
  authority.certificates = std::move(*certificates);
  if (used) {
    authority.problem = used->validity_problem(now);
    authority.vouched_by = used->cross() == nullptr ? "" : proxy::facts_of(used->cross()).issuer;
  } else {
    authority.key_hidden = proxy::is_unreadable(proxy::key_path_in(state_dir));
    authority.problem = authority.key_hidden ? "" : used.error();
  }
  add_states(authority, used ? used->certificate() : nullptr, now);
  return authority;
}

void print_text(const Authority& authority, const std::string& state_dir, std::ostream& out) {
  print_field(out, "certificates", printable(CertificateAuthority::certificate_path(state_dir)));
  print_field(
      out, "key",
      printable(proxy::key_path_in(state_dir)) +
          (authority.key_hidden ? " (not for this user, who cannot tell which is in use)" : ""));
  print_field(out, "bundle", printable(proxy::bundle_path_in(state_dir)));
  print_field(out, "vouched for by", printable(authority.vouched_by));
  for (const Shown& shown : authority.shown) {
    out << '\n';
    print_field(out, "state", shown.state);
    print_facts(shown.facts, out);
  }
}

std::string json_of(const Shown& shown) {
  std::string object = "{", names = "[";
  storage::append_json_member(object, "name", shown.facts.subject);
  storage::append_json_member(object, "state", shown.state.substr(0, shown.state.find(':')));
  storage::append_json_member(object, "sha256", shown.facts.fingerprint);
  storage::append_json_member(object, "not_before", proxy::readable_time(shown.facts.not_before));
  storage::append_json_member(object, "not_after", proxy::readable_time(shown.facts.not_after));
  for (const std::string& name : shown.facts.permitted) {
    names += names.size() > 1 ? "," : "";
    storage::append_json_string(names, name);
  }
  storage::append_json_raw(object, "permits", names + "]");
  return object + "}";
}

void print_json(const Authority& authority, const std::string& state_dir, std::ostream& out) {
  std::string object = "{", certificates = "[";
  storage::append_json_member(object, "certificate_file",
                              CertificateAuthority::certificate_path(state_dir));
  storage::append_json_member(object, "key_file", proxy::key_path_in(state_dir));
  storage::append_json_member(object, "bundle_file", proxy::bundle_path_in(state_dir));
  storage::append_json_member(object, "vouched_for_by", authority.vouched_by);
  storage::append_json_member(object, "problem", authority.problem);
  for (const Shown& shown : authority.shown) {
    certificates += (certificates.size() > 1 ? "," : "") + json_of(shown);
  }
  storage::append_json_raw(object, "certificates", certificates + "]");
  out << object << "}\n";
}

int update_bundle(const proxy::SystemRoots& roots, const std::string& state_dir, std::ostream& out,
                  std::ostream& err) {
  auto updated = keep_added(roots, state_dir, out);
  if (updated) {
    updated = AuthorityFiles(state_dir).update_bundle(roots.certificates);
  }
  return updated ? kSuccess : failed(err, updated.error());
}

}  // namespace

int run_ca_init(const AuthorityAccess& access, std::ostream& out, std::ostream& err) {
  const auto configuration = configuration_of(access, false);
  if (!configuration) {
    return failed(err, configuration.error(), kUsageError);
  }
  if (const auto problem = config::problem_with_authority(*configuration)) {
    return failed(err, "the agent would not start any more: " + *problem, kUsageError);
  }
  const std::string& state_dir = configuration->state_dir;
  const auto roots = proxy::system_roots(access.environment, state_dir);
  if (!roots) {
    return failed(err, roots.error());
  }
  auto created = AuthorityFiles(state_dir).create(purpose_of(*configuration), roots->certificates,
                                                  access.now());
  if (created) {
    created = keep_added(*roots, state_dir, out);
  }
  if (!created) {
    return failed(err, created.error());
  }
  warn_of_no_roots(*roots, proxy::bundle_path_in(state_dir), err);
  out << "Made a certificate authority for Bedrock in " << configuration->region << ".\n\n";
  print_new_authority(*configuration, roots->certificates.size(), out);
  print_next_steps(*configuration, out);
  return kSuccess;
}

int run_ca_rotate(const AuthorityAccess& access, std::ostream& out, std::ostream& err) {
  const auto configuration = configuration_of(access, false);
  if (!configuration) {
    return failed(err, configuration.error(), kUsageError);
  }
  const std::string& state_dir = configuration->state_dir;
  const auto roots = proxy::system_roots(access.environment, state_dir);
  if (!roots) {
    return failed(err, roots.error());
  }
  const auto now = access.now();
  const auto overlap =
      AuthorityFiles(state_dir).rotate(purpose_of(*configuration), roots->certificates, now);
  if (!overlap) {
    return failed(err, overlap.error());
  }
  if (const auto kept = keep_added(*roots, state_dir, out); !kept) {
    return failed(err, kept.error());
  }
  warn_of_no_roots(*roots, proxy::bundle_path_in(state_dir), err);
  out << "Made a new key and certificate for Bedrock in " << configuration->region << ".\n\n";
  print_new_authority(*configuration, roots->certificates.size(), out);
  print_overlap(*overlap, overlap->until > now, out);
  out << "\nNext:\n  1. Let the agent take it: systemctl reload invlog, or SIGHUP."
      << "\n  2. Give the new files to programs that have copies, and restart those that read them "
         "once.\n";
  return kSuccess;
}

int run_ca_show(const CaShowOptions& options, std::ostream& out, std::ostream& err) {
  const auto configuration = configuration_of(options.access, true);
  if (!configuration) {
    return failed(err, configuration.error(), kUsageError);
  }
  const auto authority = look_at(configuration->state_dir, options.access.now());
  if (!authority) {
    return failed(err, authority.error());
  }
  if (options.pem) {
    out << proxy::pem_of(authority->certificates);
  } else if (options.json) {
    print_json(*authority, configuration->state_dir, out);
  } else {
    print_text(*authority, configuration->state_dir, out);
  }
  return authority->problem.empty() ? kSuccess : failed(err, authority->problem);
}

int run_ca_bundle(const CaBundleOptions& options, std::ostream& out, std::ostream& err) {
  const auto configuration = configuration_of(options.access, true);
  if (!configuration) {
    return failed(err, configuration.error(), kUsageError);
  }
  const std::string& state_dir = configuration->state_dir;
  const auto certificates =
      proxy::certificates_in(CertificateAuthority::certificate_path(state_dir));
  if (!certificates) {
    return failed(err, CertificateAuthority::exists(state_dir)
                           ? certificates.error()
                           : CertificateAuthority::read(state_dir).error());
  }
  const auto roots = proxy::system_roots(options.access.environment, state_dir);
  if (!roots) {
    return failed(err, roots.error());
  }
  if (roots->certificates.empty()) {
    return failed(err, no_roots(*roots) + ". invlog's own alone: invlog ca show --pem");
  }
  if (options.update) {
    return update_bundle(*roots, state_dir, out, err);
  }
  const std::string text = proxy::pem_of(*certificates) + proxy::pem_of(roots->certificates);
  if (options.output.empty() || OutputFile::is_standard_output(options.output)) {
    out << text;
    return kSuccess;
  }
  OutputFile file(options.output, kForAll);
  file.write(text);
  file.commit();
  return kSuccess;
}

}  // namespace invlog::cli

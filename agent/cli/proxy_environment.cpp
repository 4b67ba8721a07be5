#include "agent/cli/proxy_environment.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "agent/cli/display_text.h"
#include "agent/config/setting_checks.h"
#include "agent/proxy/certificate_files.h"
#include "storage/lower_case.h"

namespace invlog::cli {
namespace {

constexpr const char* kEndpoint = "AWS_ENDPOINT_URL_BEDROCK_RUNTIME";
constexpr const char* kEndpoints[] = {kEndpoint, "ANTHROPIC_BEDROCK_BASE_URL"};
// Each names a file with all that a program trusts.
constexpr const char* kBundles[] = {"AWS_CA_BUNDLE", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"};
constexpr const char* kCurlBundle = "CURL_CA_BUNDLE";      // which overrules SSL_CERT_FILE
constexpr const char* kNodeExtra = "NODE_EXTRA_CA_CERTS";  // adds to what Node.js trusts

bool is_plain_http(const std::string& url) {
  return url.starts_with("http://");
}

bool same_path(const std::string& one, const std::string& other) {
  std::error_code ignored;
  return one == other || std::filesystem::equivalent(one, other, ignored);
}

bool is_below(const std::string& name, const std::string& domain) {
  return name.size() > domain.size() && name.ends_with(domain) &&
         name[name.size() - domain.size() - 1] == '.';
}

// Whether the entry has to do with `host` or names below it, as the most generous of programs read
// it: a domain stands for what is below it, whether a dot or *. is before it, and a port may
// follow.
bool exempts(const std::string& entry, const std::string& host) {
  if (entry == "*") {
    return true;
  }
  std::string domain = storage::lower_case(entry.substr(0, entry.find(':')));
  domain.erase(0, domain.find_first_not_of("*."));
  return !domain.empty() && (host == domain || is_below(host, domain) || is_below(domain, host));
}

std::string no_proxy_problem(const char* name, const ProxyAccess& proxy,
                             const aws::Environment& present) {
  for (const std::string& entry : no_proxy_entries(aws::value_of(present, name))) {
    for (const std::string& host : proxy.hosts) {
      if (exempts(entry, host)) {
        return std::string(name) + " has " + printable(entry) + ": programs will call " + host +
               " past the agent; take it out";
      }
    }
  }
  return "";
}

bool is_bedrock_host(const ProxyAccess& proxy, const std::string& host) {
  return std::any_of(proxy.hosts.begin(), proxy.hosts.end(),
                     [&](const std::string& name) { return host == name || is_below(host, name); });
}

// An endpoint that stays and is not one that the agent answers for. `name`: what names it.
std::string endpoint_problem(const std::string& name, const std::string& url,
                             const ProxyAccess& proxy) {
  std::string checked;
  if (url.empty() || (!config::set_url(checked, url) && !is_plain_http(url) &&
                      is_bedrock_host(proxy, storage::lower_case(config::host_of(url))))) {
    return "";
  }
  return name + "=" + printable(url) + " leads programs past the agent in proxy mode; unset it";
}

// How many certificates of `path` the bundle has not.
std::size_t missing(const std::string& path, const proxy::Certificates& bundle) {
  std::set<std::string> known;
  for (const proxy::Certificate& certificate : bundle) {
    known.insert(proxy::der_of(certificate.get()));
  }
  const proxy::Certificates own = proxy::readable_certificates_in(path);
  return static_cast<std::size_t>(std::count_if(own.begin(), own.end(), [&](const auto& one) {
    return !known.contains(proxy::der_of(one.get()));
  }));
}

void add_lost_trust(std::vector<std::string>& problems, const ProxyAccess& proxy,
                    const aws::Environment& present) {
  proxy::Certificates bundle;
  std::set<std::string> seen = {"", proxy.bundle_file, proxy.ca_file};
  for (const char* name : {kBundles[0], kBundles[1], kBundles[2], kCurlBundle, kNodeExtra}) {
    const std::string path = aws::value_of(present, name);
    if (!seen.insert(path).second || same_path(path, proxy.bundle_file)) {
      continue;
    }
    if (bundle.empty()) {
      bundle = proxy::readable_certificates_in(proxy.bundle_file);
    }
    if (const std::size_t count = missing(path, bundle); count > 0) {
      problems.push_back(std::string(name) + "=" + printable(path) + " is replaced, and " +
                         counted(static_cast<long long>(count), "certificate") +
                         " of it not in the replacement: `SSL_CERT_FILE=" + printable(path) +
                         " invlog ca bundle --update` takes them in");
    }
  }
}

}  // namespace

ProgramVariables proxy_variables(const ProgramNeeds& needs, const aws::Environment& present) {
  const ProxyAccess& proxy = *needs.proxy;
  ProgramVariables variables;
  for (const char* name : {"HTTPS_PROXY", "https_proxy"}) {
    variables.push_back({name, proxy.endpoint.url()});
  }
  for (const char* name : kBundles) {
    variables.push_back({name, proxy.bundle_file});
  }
  if (!aws::value_of(present, kCurlBundle).empty()) {
    variables.push_back({kCurlBundle, proxy.bundle_file});
  }
  // Whoever has set it trusts more than Node.js by itself: the bundle, then.
  const bool extra = !aws::value_of(present, kNodeExtra).empty();
  variables.push_back({kNodeExtra, extra ? proxy.bundle_file : proxy.ca_file});
  variables.push_back({"NODE_USE_ENV_PROXY", "1"});
  if (needs.openai && !proxy.hosts.empty()) {
    variables.push_back({"OPENAI_BASE_URL", "https://" + proxy.hosts.front() + "/openai/v1"});
  }
  for (const char* name : kEndpoints) {
    if (is_plain_http(aws::value_of(present, name))) {
      variables.push_back({name, "", true});
    }
  }
  return variables;
}

std::vector<std::string> proxy_environment_problems(
    const ProxyAccess& proxy, const aws::Environment& present,
    const std::optional<aws::ProfileFiles::Setting>& profile_endpoint) {
  std::vector<std::string> problems;
  const auto add = [&](std::string problem) {
    if (!problem.empty()) {
      problems.push_back(std::move(problem));
    }
  };
  add(no_proxy_problem("NO_PROXY", proxy, present));
  add(no_proxy_problem("no_proxy", proxy, present));
  for (const char* name : kEndpoints) {
    if (const std::string url = aws::value_of(present, name); !is_plain_http(url)) {
      add(endpoint_problem(name, url, proxy));
    }
  }
  const std::string own = aws::value_of(present, kEndpoint);
  if (own.empty() || is_plain_http(own)) {  // it overrules the one for all services
    const std::string of_all = aws::value_of(present, "AWS_ENDPOINT_URL");
    add(endpoint_problem("AWS_ENDPOINT_URL", of_all, proxy));
    if (of_all.empty() && profile_endpoint) {
      add(endpoint_problem(printable(profile_endpoint->place) + "endpoint_url",
                           profile_endpoint->value, proxy));
    }
  }
  add_lost_trust(problems, proxy, present);
  return problems;
}

}  // namespace invlog::cli

#include "exporters/endpoint_check.h"

#include <utility>

#include "exporters/aws/endpoints.h"
#include "exporters/s3/endpoint_host.h"

namespace invlog::exporters {
namespace {

using aws::FailureKind;
using Judged = EndpointJudgement::Kind;

bool leads_anywhere(std::string_view host) {
  return host.find("accesspoint") != std::string_view::npos;
}

// Whether the Region is one of those under the host's domain of AWS's.
bool is_under_its_domain(std::string_view host, std::string_view region) {
  if (host.ends_with('.')) {
    host.remove_suffix(1);
  }
  const std::string_view domain = aws::aws_domain_of(host);
  return !region.empty() &&
         (domain == aws::domain_suffix_of(region) || domain == aws::dual_stack_suffix_of(region));
}

tl::unexpected<aws::ServiceFailure> refuse_endpoint(FailureKind kind, std::string message) {
  aws::ServiceFailure failure;
  failure.kind = kind;
  failure.message = std::move(message);
  return tl::unexpected(std::move(failure));
}

}  // namespace

EndpointJudgement judge_endpoint(std::string_view service, std::string_view endpoint,
                                 std::string_view region) {
  const std::string host = host_of_endpoint(endpoint);
  if (host.empty()) {
    return {Judged::malformed, ""};
  }
  std::string named = region_of_host(service, host);
  if (!named.empty() && named != region) {
    return {Judged::elsewhere, std::move(named)};
  }
  if (!is_aws_host(host)) {
    return {Judged::custom, std::move(named)};
  }
  const bool own = is_under_its_domain(host, named) && !leads_anywhere(host);
  return {own ? Judged::own : Judged::unbound, std::move(named)};
}

tl::expected<void, aws::ServiceFailure> check_endpoint(std::string_view service,
                                                       std::string_view table,
                                                       const std::string& endpoint,
                                                       const std::string& region,
                                                       bool region_attested) {
  const std::string setting = std::string(table) + ".endpoint";
  const std::string where = setting + " \"" + endpoint + "\"";
  const EndpointJudgement judgement = judge_endpoint(service, endpoint, region);
  switch (judgement.kind) {
    case Judged::malformed:  // it may have a password in it
      return refuse_endpoint(FailureKind::rejected,
                             setting + " must be http://host[:port] or https://host[:port]");
    case Judged::elsewhere:
      return refuse_endpoint(FailureKind::redirected, where + " is in " + judgement.region +
                                                          ", the source Region is " + region +
                                                          "; nothing was sent");
    case Judged::unbound:
      return refuse_endpoint(
          FailureKind::redirected,
          where + (leads_anywhere(host_of_endpoint(endpoint))
                       ? " is that of access points, which may lead to another Region; use the "
                         "Region's own endpoint"
                       : " is a global endpoint, which serves every Region; leave endpoint out or "
                         "use the one of " +
                             region));
    case Judged::own:
    case Judged::custom:
      break;
  }
  if (!region_attested) {
    return refuse_endpoint(FailureKind::redirected,
                           where + " is not AWS's own for " + region +
                               ": if it keeps its data there, say so with region_attested = true; "
                               "nothing was sent");
  }
  return {};
}

}  // namespace invlog::exporters

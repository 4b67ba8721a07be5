#include "agent/residency/profile_client.h"

#include <set>
#include <utility>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/endpoints.h"

namespace invlog::residency {
namespace {

constexpr int kMostAttempts = 4;
// 1,000 profiles each; more is a service that does not end.
constexpr int kMostPages = 100;
constexpr const char* kPageSize = "1000";

void append_query(std::string& query, const char* name, std::string_view value) {
  query.append(query.empty() ? "" : "&").append(name).append("=");
  aws::append_uri_encoded(query, value, false);
}

aws::ServiceFailure nonsense(const std::string& what, const std::string& problem) {
  aws::ServiceFailure failure;
  failure.kind = aws::FailureKind::rejected;
  failure.message = what + ": the answer makes no sense: " + problem;
  return failure;
}

}  // namespace

std::optional<std::string> profile_endpoint(const config::AgentConfig& configuration,
                                            const aws::Environment& environment) {
  if (!configuration.aws.bedrock_endpoint.empty()) {
    return configuration.aws.bedrock_endpoint;
  }
  if (std::string given = aws::value_of(environment, "AWS_ENDPOINT_URL_BEDROCK"); !given.empty()) {
    return given;
  }
  if (aws::is_own_endpoint("bedrock-runtime", configuration.upstream, configuration.region)) {
    return "https://" + aws::service_host("bedrock", configuration.region);
  }
  return std::nullopt;
}

aws::ServiceClientOptions profile_service_options(const std::string& region,
                                                  const std::string& endpoint) {
  aws::ServiceClientOptions options;
  options.service = "bedrock";
  options.region = region;
  options.endpoint = endpoint;
  options.total_timeout = std::chrono::seconds(30);
  return options;
}

ProfileClient::ProfileClient(aws::ServiceClient& bedrock, ProfileClientOptions options)
    : bedrock_(bedrock),
      clock_(std::move(options.clock)),
      caller_({nullptr, std::move(options.wait), std::move(options.random)},
              std::chrono::milliseconds(0), kMostAttempts) {}

ProfileListing ProfileClient::list() {
  ProfileListing listing;
  if (list_type("SYSTEM_DEFINED", listing)) {
    list_type("APPLICATION", listing);
  }
  return listing;
}

bool ProfileClient::list_type(std::string_view type, ProfileListing& listing) {
  std::set<std::string> tokens;
  std::string token;
  do {
    aws::ServiceRequest request;
    request.method = "GET";
    request.path = "/inference-profiles";
    append_query(request.query, "maxResults", kPageSize);
    if (!token.empty()) {
      append_query(request.query, "nextToken", token);
    }
    append_query(request.query, "type", type);
    request.what = "ListInferenceProfiles";
    const aws::ServiceResult answer = call(request);
    if (!answer) {
      listing.failure = answer.error();
      return false;
    }
    auto page = parse_profile_page(answer->body, context());
    if (!page) {
      listing.failure = nonsense(request.what, page.error());
      return false;
    }
    std::move(page->profiles.begin(), page->profiles.end(), std::back_inserter(listing.profiles));
    std::move(page->problems.begin(), page->problems.end(), std::back_inserter(listing.problems));
    token = std::move(page->next_token);
    if (!token.empty() && (!tokens.insert(token).second || tokens.size() >= kMostPages)) {
      listing.failure = nonsense(request.what, "its pages do not end");
      return false;
    }
  } while (!token.empty());
  return true;
}

tl::expected<Profile, aws::ServiceFailure> ProfileClient::get(std::string_view identifier) {
  aws::ServiceRequest request;
  request.method = "GET";
  request.path = "/inference-profiles/";
  aws::append_uri_encoded(request.path, identifier, false);
  request.what = "GetInferenceProfile " + std::string(identifier);
  const aws::ServiceResult answer = call(request);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  auto profile = parse_profile(answer->body, context());
  if (!profile) {
    return tl::unexpected(nonsense(request.what, profile.error()));
  }
  // The answer to another question would stand under the wrong name.
  if (profile->id != identifier && profile->arn != identifier) {
    return tl::unexpected(nonsense(request.what, "it is of " + profile->id));
  }
  return std::move(*profile);
}

aws::ServiceResult ProfileClient::call(const aws::ServiceRequest& request) {
  return caller_.call([&] { return bedrock_.call(request); });
}

AnswerContext ProfileClient::context() const {
  return {bedrock_.options().region, clock_()};
}

}  // namespace invlog::residency

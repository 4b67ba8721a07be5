#include "exporters/aws/container_credentials.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "exporters/aws/credential_json.h"
#include "exporters/aws/curl_library.h"
#include "exporters/aws/message_text.h"
#include "exporters/aws/token_file.h"

namespace invlog::aws {
namespace {

constexpr const char* kRelative = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
constexpr const char* kFull = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
constexpr const char* kToken = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
constexpr const char* kTokenFile = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
constexpr const char* kEcsAgent = "http://169.254.170.2";
constexpr std::chrono::milliseconds kTimeout{2000}, kBetweenTries{1000};
constexpr int kTries = 3;

bool is_ipv6(const std::string& host, const char* expected) {
  in6_addr address{}, other{};
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &address) == 1 &&
         ::inet_pton(AF_INET6, expected, &other) == 1 &&
         std::memcmp(&address, &other, sizeof address) == 0;
}

// The hosts that credentials may go through in clear: this one, ECS's agent, EKS's agent.
bool is_trusted(const std::string& host) {
  in_addr address{};
  if (::inet_pton(AF_INET, host.c_str(), &address) == 1) {
    return (ntohl(address.s_addr) >> 24) == 127 || host == "169.254.170.2" ||
           host == "169.254.170.23";
  }
  return host == "localhost" || is_ipv6(host, "::1") || is_ipv6(host, "fd00:ec2::23");
}

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

}  // namespace

std::string problem_of_container_url(const std::string& text) {
  if (!is_plain(text)) {
    return "it has white space or control characters";
  }
  if (std::string problem = CurlLibrary::problem(); !problem.empty()) {
    return problem;
  }
  // Read by the library that will connect, so that both see the same host.
  const CurlUrl url = new_curl_url();
  if (CurlLibrary::get().url_set(url.get(), CURLUPART_URL, text.c_str(),
                                 CURLU_PATH_AS_IS | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK) {
    return "it is no URL of the form http(s)://host[:port]/path";
  }
  if (!curl_url_part(url, CURLUPART_USER).empty() ||
      !curl_url_part(url, CURLUPART_PASSWORD).empty()) {
    return "it holds a user name or password";
  }
  const std::string scheme = curl_url_part(url, CURLUPART_SCHEME);
  if (scheme == "https") {
    return "";
  }
  if (scheme != "http") {
    return "its scheme is neither http nor https";
  }
  const std::string host = curl_url_part(url, CURLUPART_HOST);
  if (!is_trusted(host)) {
    return "plain http to " + one_line(host, 100) +
           " would show the keys to the network: use https, or one of localhost, 127.0.0.0/8, "
           "[::1], 169.254.170.2, 169.254.170.23, [fd00:ec2::23]";
  }
  return "";
}

ContainerCredentials::ContainerCredentials(const ChainOptions& options) : options_(options) {
  const std::string relative = value_of(options.environment, kRelative);
  const std::string full = value_of(options.environment, kFull);
  if (!relative.empty()) {
    variable_ = kRelative;
    url_ = kEcsAgent + std::string(relative.starts_with('/') ? "" : "/") + relative;
  } else if (!full.empty()) {
    variable_ = kFull;
    url_ = full;
  }
}

std::string ContainerCredentials::why_nothing() const {
  return std::string("neither ") + kRelative + " nor " + kFull + " is set";
}

ProvideResult ContainerCredentials::provide() {
  if (!configured()) {
    return std::nullopt;
  }
  if (const std::string problem = problem_of_container_url(url_); !problem.empty()) {
    return tl::unexpected("container: " + variable_ + " cannot be used: " + problem);
  }
  const auto token = authorization();
  if (!token) {
    return tl::unexpected("container: " + token.error());
  }
  if (!http_ && !(options_.http && (http_ = options_.http()))) {
    return tl::unexpected<std::string>("container: this command has no HTTP client");
  }
  for (int tries = 1;; ++tries) {
    ProvideResult result = ask(*token);
    if (result || !result.error().may_pass || tries == kTries ||
        !wait_between_tries(options_, kBetweenTries)) {
      return result;
    }
  }
}

tl::expected<std::string, std::string> ContainerCredentials::authorization() const {
  const std::string path = value_of(options_.environment, kTokenFile);
  if (!path.empty()) {
    auto token = read_token_file(path);
    if (!token) {
      return tl::unexpected(std::string(kTokenFile) + ": " + token.error());
    }
    return token;
  }
  std::string token = value_of(options_.environment, kToken);
  if (!std::all_of(token.begin(), token.end(),
                   [](char byte) { return byte >= ' ' && byte < '\x7f'; })) {
    return tl::unexpected(std::string(kToken) +
                          " must be one line of printable ASCII, without a line's end");
  }
  return token;
}

ProvideResult ContainerCredentials::ask(const std::string& authorization) {
  const auto failed = [this](const std::string& why, bool may_pass) {
    return tl::unexpected(CredentialsError("container: " + variable_ + ": " + why, may_pass));
  };
  HttpRequest request;
  request.url = url_;
  request.headers = {{"accept", "application/json"}};
  if (!authorization.empty()) {
    request.headers.emplace_back("authorization", authorization);
  }
  request.connect_timeout = kTimeout;
  request.total_timeout = kTimeout;
  request.direct = true;
  const HttpResult response = http_->send(request);
  if (!response) {
    return failed(response.error().message,
                  response.error().kind != HttpFailure::Kind::usage &&
                      response.error().kind != HttpFailure::Kind::cancelled);
  }
  if (response->status != 200) {
    std::string said = error_in_json(response->body);
    hide_secret(said, authorization);
    return failed("the agent answered with status " + std::to_string(response->status) +
                      (said.empty() ? "" : ": " + said),
                  response->status >= 500 || response->status == 429);
  }
  auto credentials = parse_credential_json(response->body, CredentialJsonForm::container);
  if (!credentials) {
    return failed("the agent's answer: " + credentials.error(), true);
  }
  credentials->source = "container";
  return std::move(*credentials);
}

}  // namespace invlog::aws

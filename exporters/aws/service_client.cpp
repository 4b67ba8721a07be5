#include "exporters/aws/service_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "exporters/aws/http_date.h"
#include "exporters/aws/message_text.h"

namespace invlog::aws {
namespace {

using std::chrono::seconds;

// What AWS's services take is five minutes; the rest is for a Date of whole seconds and the way.
constexpr seconds kClockTolerance = std::chrono::minutes(4);

// The Host header that goes with an endpoint: the port only where it is not the scheme's own.
std::string host_of(std::string_view endpoint) {
  const std::size_t scheme_end = endpoint.find("://");
  const bool https = scheme_end == std::string_view("https").size();
  if (scheme_end != std::string_view::npos) {
    endpoint.remove_prefix(scheme_end + 3);
  }
  endpoint = endpoint.substr(0, endpoint.find('/'));
  const std::string_view own_port = https ? ":443" : ":80";
  if (endpoint.ends_with(own_port)) {
    endpoint.remove_suffix(own_port.size());
  }
  return std::string(endpoint);
}

std::string url_of(const std::string& endpoint, const ServiceRequest& request) {
  std::string url = endpoint;
  while (url.ends_with('/')) {
    url.pop_back();
  }
  url += request.path;
  if (!request.query.empty()) {
    url.append("?").append(request.query);
  }
  return url;
}

ServiceFailure no_credentials(const ServiceRequest& request, const ProvideResult& provided) {
  ServiceFailure failure;
  failure.no_credentials = true;
  failure.kind =
      !provided && provided.error().may_pass ? FailureKind::transient : FailureKind::credentials;
  failure.message =
      request.what + ": no AWS credentials: " +
      (provided ? "give this host a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a "
                  "profile (`invlog doctor` shows what was tried)"
                : provided.error().message);
  return failure;
}

}  // namespace

ServiceClient::ServiceClient(ServiceClientOptions options, HttpClient& http,
                             CredentialsProvider& credentials)
    : options_(std::move(options)),
      http_(http),
      credentials_(credentials),
      signer_(options_.region, options_.service) {}

ServiceResult ServiceClient::call(const ServiceRequest& request) {
  bool clock_corrected = false, credentials_renewed = false;
  while (true) {
    const seconds offset_before = clock_offset_;
    ServiceResult result = call_once(request);
    if (result || !request.sign) {
      return result;
    }
    if (result.error().kind == FailureKind::clock && clock_offset_ != offset_before &&
        !clock_corrected) {
      clock_corrected = true;
    } else if (result.error().kind == FailureKind::credentials && result.error().status != 0 &&
               !credentials_renewed) {
      credentials_renewed = true;
      credentials_.forget();
    } else {
      return result;
    }
  }
}

ServiceResult ServiceClient::call_once(const ServiceRequest& request) {
  HttpRequest http;
  http.method = request.method;
  http.url = url_of(options_.endpoint, request);
  http.headers = request.headers;
  http.headers.emplace_back("host", host_of(options_.endpoint));
  http.body = request.body;
  http.connect_timeout = options_.connect_timeout;
  http.total_timeout = std::max(options_.total_timeout, request.total_timeout);

  Credentials credentials;
  if (request.sign) {
    ProvideResult provided = credentials_.provide();
    if (!provided || !*provided) {
      return tl::unexpected(no_credentials(request, provided));
    }
    credentials = std::move(**provided);
    signed_with_ = credentials.access_key_id;
    sign(http, request, credentials);
  }

  HttpResult result = http_.send(http);
  if (!result) {
    return tl::unexpected(failure_of(result.error(), request.what));
  }
  if (result->status >= 200 && result->status < 300) {
    return std::move(*result);
  }
  ServiceFailure failure = failure_of(*result, request.what);
  hide_secret(failure.message, credentials.secret_access_key);
  hide_secret(failure.message, credentials.session_token);
  learn_clock(request, *result, failure);
  return tl::unexpected(std::move(failure));
}

void ServiceClient::sign(HttpRequest& http, const ServiceRequest& request,
                         const Credentials& credentials) {
  const bool s3 = options_.service == "s3";
  const std::string payload_hash = sha256_hex(request.body);
  if (s3) {
    http.headers.emplace_back("x-amz-content-sha256", payload_hash);
  }
  SigningRequest signing;
  signing.method = request.method;
  signing.path = request.path;
  signing.query = request.query;
  signing.headers.assign(http.headers.begin(), http.headers.end());
  signing.payload_sha256_hex = payload_hash;
  signing.normalize_path = !s3;
  signing.encode_path_again = !s3;
  const Signature signature = signer_.sign(signing, credentials, options_.clock() + clock_offset_);
  http.headers.emplace_back("x-amz-date", signature.amz_date);
  if (!signature.security_token.empty()) {
    http.headers.emplace_back("x-amz-security-token", signature.security_token);
  }
  http.headers.emplace_back("authorization", signature.authorization);
}

// A wrong signature is the clock's fault if the service's Date says so, and only then is its Date
// believed. A refusal without a reason, as HEAD gets it, may be about the signature.
void ServiceClient::learn_clock(const ServiceRequest& request, const HttpResponse& response,
                                ServiceFailure& failure) {
  const bool signature =
      failure.kind == FailureKind::credentials &&
      (failure.code == "SignatureDoesNotMatch" || failure.code == "InvalidSignatureException" ||
       failure.code == "AuthFailure" || failure.code == "RequestExpired");
  const bool unexplained = request.method == "HEAD" && failure.code.empty() &&
                           (failure.status == 400 || failure.status == 403);
  if (failure.kind != FailureKind::clock && !signature && !unexplained) {
    return;
  }
  const auto date = parse_http_date(response.header("date"));
  if (!date) {
    return;
  }
  const seconds offset = std::chrono::floor<seconds>(*date - options_.clock());
  const seconds change = offset - clock_offset_;
  if (failure.kind != FailureKind::clock && std::chrono::abs(change) <= kClockTolerance) {
    return;
  }
  failure.kind = FailureKind::clock;
  clock_offset_ = offset;
}

}  // namespace invlog::aws

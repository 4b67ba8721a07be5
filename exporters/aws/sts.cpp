#include "exporters/aws/sts.h"

#include <pugixml.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/iso_time.h"
#include "exporters/aws/message_text.h"
#include "exporters/aws/role_settings.h"

namespace invlog::aws {
namespace {

constexpr std::string_view kVersion = "2011-06-15";

class Form {
 public:
  explicit Form(std::string_view action) {
    add("Action", action);
    add("Version", kVersion);
  }
  void add(std::string_view name, std::string_view value) {
    if (!text_.empty()) {
      text_ += '&';
    }
    text_.append(name).append("=");
    append_uri_encoded(text_, value, false);
  }
  std::string_view text() const { return text_; }

 private:
  std::string text_;
};

ServiceRequest request_of(const Form& form, std::string what) {
  ServiceRequest request;
  request.headers = {{"content-type", "application/x-www-form-urlencoded; charset=utf-8"}};
  request.body = form.text();
  request.what = std::move(what);
  return request;
}

ServiceFailure not_sts(const ServiceRequest& request, const HttpResponse& response,
                       const std::string& why) {
  ServiceFailure failure;
  failure.kind = FailureKind::transient;
  failure.status = response.status;
  failure.message = request.what + ": " + why + ": the endpoint's answer is not one of AWS STS";
  return failure;
}

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

bool is_credential_text(std::string_view text) {
  constexpr std::size_t kLongest = 16 << 10;
  return !text.empty() && text.size() <= kLongest && fits_a_header(text);
}

// Why the service would refuse, so that the message names the cause; "" if it would not.
std::string fault_of(const AssumeRoleRequest& request) {
  if (const auto problem = problem_of_role_arn(request.role_arn)) {
    return "the role " + *problem;
  }
  if (const auto problem = problem_of_session_name(request.session_name)) {
    return "the session name " + *problem;
  }
  return "";
}

tl::expected<Credentials, ServiceFailure> credentials_in(const HttpResponse& response,
                                                         const ServiceRequest& request,
                                                         const std::string& action) {
  pugi::xml_document document;
  document.load_buffer(response.body.data(), response.body.size(), pugi::parse_default,
                       pugi::encoding_utf8);
  const pugi::xml_node found = document.child((action + "Response").c_str())
                                   .child((action + "Result").c_str())
                                   .child("Credentials");
  Credentials credentials;
  credentials.access_key_id = found.child_value("AccessKeyId");
  credentials.secret_access_key = found.child_value("SecretAccessKey");
  credentials.session_token = found.child_value("SessionToken");
  credentials.expiration = parse_iso_time(found.child_value("Expiration"));
  if (!is_credential_text(credentials.access_key_id) ||
      !is_credential_text(credentials.secret_access_key) ||
      !is_credential_text(credentials.session_token)) {
    return tl::unexpected(not_sts(request, response, "no usable credentials in the answer"));
  }
  if (!credentials.expiration) {
    return tl::unexpected(not_sts(request, response, "credentials without a usable Expiration"));
  }
  return credentials;
}

}  // namespace

tl::expected<CallerIdentity, ServiceFailure> get_caller_identity(ServiceClient& sts) {
  const Form form("GetCallerIdentity");
  const ServiceRequest request = request_of(form, "GetCallerIdentity");
  const ServiceResult response = sts.call(request);
  if (!response) {
    return tl::unexpected(response.error());
  }
  pugi::xml_document document;
  document.load_buffer(response->body.data(), response->body.size(), pugi::parse_default,
                       pugi::encoding_utf8);
  const pugi::xml_node found =
      document.child("GetCallerIdentityResponse").child("GetCallerIdentityResult");
  CallerIdentity identity{found.child_value("Account"), found.child_value("Arn"),
                          sts.signed_with()};
  constexpr std::size_t kAccountDigits = 12, kLongestArn = 2048;
  if (identity.account_id.size() != kAccountDigits || !all_digits(identity.account_id) ||
      !identity.arn.starts_with("arn:") || identity.arn.size() > kLongestArn ||
      !is_credential_text(identity.arn)) {
    return tl::unexpected(not_sts(request, *response, "no account and ARN in the answer"));
  }
  return identity;
}

tl::expected<Credentials, ServiceFailure> assume_role(ServiceClient& sts,
                                                      const AssumeRoleRequest& request) {
  const bool web_identity = !request.web_identity_token.empty();
  const std::string action = web_identity ? "AssumeRoleWithWebIdentity" : "AssumeRole";
  Form form(action);
  form.add("RoleArn", request.role_arn);
  form.add("RoleSessionName", request.session_name);
  if (web_identity) {
    form.add("WebIdentityToken", request.web_identity_token);
  } else if (!request.external_id.empty()) {
    form.add("ExternalId", request.external_id);
  }
  if (request.duration.count() > 0) {
    form.add("DurationSeconds", std::to_string(request.duration.count()));
  }
  ServiceRequest call = request_of(form, action + " " + one_line(request.role_arn, 200));
  call.sign = !web_identity;
  const std::string fault = fault_of(request);
  if (!fault.empty()) {
    ServiceFailure failure;
    failure.kind = FailureKind::rejected;
    failure.message = call.what + ": " + fault;
    return tl::unexpected(std::move(failure));
  }
  ServiceResult response = sts.call(call);
  if (!response) {
    hide_secret(response.error().message, request.web_identity_token);
    return tl::unexpected(std::move(response.error()));
  }
  return credentials_in(*response, call, action);
}

}  // namespace invlog::aws

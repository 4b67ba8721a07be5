#include "exporters/aws/sts.h"

#include <pugixml.hpp>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "exporters/aws/canonical_request.h"
#include "exporters/aws/message_text.h"

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

// They go into headers, so nothing but printable ASCII will do.
bool is_credential_text(std::string_view text) {
  constexpr std::size_t kLongest = 16 << 10;
  return !text.empty() && text.size() <= kLongest &&
         std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

std::optional<int> number(std::string_view digits) {
  if (digits.empty() || !all_digits(digits)) {
    return std::nullopt;
  }
  int value = 0;
  for (const char digit : digits) {
    value = value * 10 + (digit - '0');
  }
  return value;
}

// 2019-11-09T13:34:41Z, or with a fraction of a second, which is cut off.
std::optional<std::chrono::system_clock::time_point> iso_time(std::string_view text) {
  using namespace std::chrono;
  constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() <= kForm.size() || text.back() != 'Z') {
    return std::nullopt;
  }
  for (std::size_t at = 0; at < kForm.size(); ++at) {
    const bool digit = text[at] >= '0' && text[at] <= '9';
    if (kForm[at] == '0' ? !digit : text[at] != kForm[at]) {
      return std::nullopt;
    }
  }
  const std::string_view fraction = text.substr(kForm.size(), text.size() - kForm.size() - 1);
  if (!fraction.empty() &&
      (fraction.front() != '.' || fraction.size() == 1 || !all_digits(fraction.substr(1)))) {
    return std::nullopt;
  }
  const year_month_day date(year(*number(text.substr(0, 4))),
                            month(static_cast<unsigned>(*number(text.substr(5, 2)))),
                            day(static_cast<unsigned>(*number(text.substr(8, 2)))));
  const int hour = *number(text.substr(11, 2)), minute = *number(text.substr(14, 2)),
            second = *number(text.substr(17, 2));
  // The clock's nanoseconds end in the year 2262.
  if (!date.ok() || date.year() < year(1970) || date.year() > year(2200) || hour > 23 ||
      minute > 59 || second > 60) {
    return std::nullopt;
  }
  return sys_days(date) + hours(hour) + minutes(minute) + seconds(second);
}

bool is_session_name(std::string_view text) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-";
  return text.size() >= 2 && text.size() <= 64 &&
         text.find_first_not_of(kAllowed) == std::string_view::npos;
}

// Why the service would refuse, so that the message names the cause; "" if it would not.
std::string fault_of(const AssumeRoleRequest& request) {
  if (!request.role_arn.starts_with("arn:")) {
    return "the role is not an ARN (arn:aws:iam::123456789012:role/name)";
  }
  if (!is_session_name(request.session_name)) {
    return "the session name is not 2 to 64 of A-Z a-z 0-9 _ + = , . @ -";
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
  credentials.expiration = iso_time(found.child_value("Expiration"));
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
  CallerIdentity identity{found.child_value("Account"), found.child_value("Arn")};
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

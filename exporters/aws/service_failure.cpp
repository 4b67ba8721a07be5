#include "exporters/aws/service_failure.h"

#include <simdjson.h>
#include <pugixml.hpp>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>

#include "exporters/aws/http_date.h"
#include "exporters/aws/message_text.h"
#include "exporters/aws/repeated_request.h"

namespace invlog::aws {
namespace {

using std::chrono::milliseconds;

// An error's document is a few hundred bytes; what is longer comes from something else.
constexpr std::size_t kLongestDocument = 64 << 10;
constexpr std::size_t kLongestText = 400;

struct Answer {
  std::string code, message, region;
};

// "com.amazonaws.logs#ThrottlingException:http://internal/..." is ThrottlingException.
std::string plain_code(std::string_view text) {
  text = text.substr(0, text.find(':'));
  const std::size_t hash = text.rfind('#');
  if (hash != std::string_view::npos) {
    text.remove_prefix(hash + 1);
  }
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  constexpr std::size_t kLongest = 100;
  const bool plausible =
      text.size() <= kLongest && text.find_first_not_of(kAllowed) == std::string_view::npos;
  return plausible ? std::string(text) : std::string();
}

// The first of these members that is a text.
std::string text_member(const simdjson::dom::object& object,
                        std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    std::string_view text;
    if (object[name].get_string().get(text) == simdjson::SUCCESS && !text.empty()) {
      return std::string(text);
    }
  }
  return "";
}

void read_json(std::string_view body, Answer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body.data(), body.size()).get_object().get(object) != simdjson::SUCCESS) {
    return;
  }
  answer.code = plain_code(text_member(object, {"__type", "code", "Code"}));
  answer.message = text_member(object, {"message", "Message", "errorMessage"});
}

// S3: <Error>; query services: <ErrorResponse><Error>; some stores: <Response><Errors><Error>.
void read_xml(std::string_view body, Answer& answer) {
  pugi::xml_document document;
  // What was read before a fault still counts.
  document.load_buffer(body.data(), body.size(), pugi::parse_default, pugi::encoding_utf8);
  pugi::xml_node error = document.child("Error");
  if (!error) {
    error = document.child("ErrorResponse").child("Error");
  }
  if (!error) {
    error = document.child("Response").child("Errors").child("Error");
  }
  answer.code = plain_code(error.child_value("Code"));
  answer.message = error.child_value("Message");
  answer.region = error.child_value("Region");
}

Answer read_answer(const HttpResponse& response) {
  Answer answer;
  std::string_view body = response.body;
  body.remove_prefix(std::min(body.find_first_not_of(" \t\r\n\xEF\xBB\xBF"), body.size()));
  if (body.size() <= kLongestDocument) {
    if (body.starts_with('{')) {
      read_json(body, answer);
    } else if (body.starts_with('<')) {
      read_xml(body, answer);
    }
  }
  // The header is there for HEAD, too, and names the error where the body only describes it.
  const std::string code = plain_code(response.header("x-amzn-errortype"));
  if (!code.empty()) {
    answer.code = code;
  }
  const std::string_view region = response.header("x-amz-bucket-region");
  if (!region.empty()) {
    answer.region = region;
  }
  // A Region's name is a few words; a stranger's text does not pass for one.
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  constexpr std::size_t kLongestRegion = 40;
  if (answer.region.size() > kLongestRegion ||
      answer.region.find_first_not_of(kAllowed) != std::string::npos) {
    answer.region.clear();
  }
  return answer;
}

template <std::size_t Count>
bool is_one_of(std::string_view code, const std::string_view (&codes)[Count]) {
  return std::find(std::begin(codes), std::end(codes), code) != std::end(codes);
}

constexpr std::string_view kThrottled[] = {"Throttling",
                                           "ThrottledException",
                                           "RequestThrottled",
                                           "RequestThrottledException",
                                           "TooManyRequestsException",
                                           "TooManyRequests",
                                           "ProvisionedThroughputExceededException",
                                           "TransactionInProgressException",
                                           "RequestLimitExceeded",
                                           "BandwidthLimitExceeded",
                                           "LimitExceededException",
                                           "SlowDown"};
constexpr std::string_view kTransient[] = {
    "RequestTimeout",       "RequestTimeoutException",     "PriorRequestNotComplete",
    "OperationAborted",     "OperationAbortedException",   "ConditionalRequestConflict",
    "ServiceUnavailable",   "ServiceUnavailableException", "InternalError",
    "InternalFailure",      "InternalServerError",         "InternalServerException",
    "IDPCommunicationError"};
constexpr std::string_view kCredentials[] = {"ExpiredToken",
                                             "ExpiredTokenException",
                                             "InvalidClientTokenId",
                                             "UnrecognizedClientException",
                                             "InvalidAccessKeyId",
                                             "InvalidToken",
                                             "InvalidSecurity",
                                             "TokenRefreshRequired",
                                             "MissingAuthenticationToken",
                                             "MissingAuthenticationTokenException",
                                             "IncompleteSignature",
                                             "IncompleteSignatureException",
                                             "InvalidIdentityToken",
                                             "InvalidIdentityTokenException"};
constexpr std::string_view kClock[] = {"RequestTimeTooSkewed", "RequestInTheFuture"};
// About the clock if their message is, about the keys otherwise.
constexpr std::string_view kSignature[] = {"InvalidSignatureException", "SignatureDoesNotMatch",
                                           "AuthFailure", "RequestExpired"};
constexpr std::string_view kRedirected[] = {"PermanentRedirect", "TemporaryRedirect",
                                            "IllegalLocationConstraintException"};
constexpr std::string_view kDenied[] = {"AccessDenied",
                                        "AccessDeniedException",
                                        "AllAccessDisabled",
                                        "AccountProblem",
                                        "NotSignedUp",
                                        "OptInRequired",
                                        "RegionDisabledException",
                                        "UnauthorizedOperation",
                                        "KMSAccessDeniedException"};
constexpr std::string_view kNotFound[] = {"NoSuchBucket", "NoSuchKey", "ResourceNotFoundException"};
constexpr std::string_view kConflict[] = {"ResourceAlreadyExistsException", "PreconditionFailed",
                                          "BucketAlreadyExists", "BucketAlreadyOwnedByYou"};

// "Signature expired: 20150830T123600Z is now earlier than 20150830T124100Z", "Signature not yet
// current: ... is still later than ...".
bool speaks_of_time(std::string_view message) {
  constexpr std::string_view kWords[] = {"expired",     "not yet current", "is now earlier",
                                         "still later", "too skewed",      "clock"};
  return std::any_of(std::begin(kWords), std::end(kWords), [message](std::string_view word) {
    return message.find(word) != std::string_view::npos;
  });
}

FailureKind kind_of_status(int status) {
  if (status == 429) {
    return FailureKind::throttled;
  }
  if (status < 300 || status == 408 || (status >= 500 && status != 501 && status != 505)) {
    return FailureKind::transient;
  }
  if (status < 400) {
    return FailureKind::redirected;
  }
  switch (status) {
    case 401:
      return FailureKind::credentials;
    case 403:
      return FailureKind::denied;
    case 404:
      return FailureKind::not_found;
    case 409:
    case 412:
      return FailureKind::conflict;
    default:
      return FailureKind::rejected;
  }
}

// The code counts for more than the status: CloudWatch Logs throttles with 400.
FailureKind kind_of_answer(const Answer& answer, int status) {
  const std::string_view code = answer.code;
  if (is_one_of(code, kThrottled) || code.ends_with("ThrottlingException") ||
      code == "EC2ThrottledException") {
    return FailureKind::throttled;
  }
  if (is_one_of(code, kTransient)) {
    return FailureKind::transient;
  }
  if (is_one_of(code, kClock)) {
    return FailureKind::clock;
  }
  if (is_one_of(code, kSignature)) {
    return speaks_of_time(answer.message) ? FailureKind::clock : FailureKind::credentials;
  }
  if (is_one_of(code, kCredentials)) {
    return FailureKind::credentials;
  }
  if (is_one_of(code, kRedirected) ||
      (code == "AuthorizationHeaderMalformed" && !answer.region.empty())) {
    return FailureKind::redirected;
  }
  if (is_one_of(code, kDenied) || code.starts_with("KMS.")) {
    return FailureKind::denied;
  }
  if (is_one_of(code, kNotFound)) {
    return FailureKind::not_found;
  }
  if (is_one_of(code, kConflict)) {
    return FailureKind::conflict;
  }
  const FailureKind kind = kind_of_status(status);
  // Each AWS service says why it rejects a request. What does not is somebody on the way (a proxy,
  // a firewall), and says nothing of the request; but that it is too large (413) is true then, too,
  // and a smaller one may pass.
  const bool of_somebody_else = code.empty() && status != 413;
  return kind == FailureKind::rejected && of_somebody_else ? FailureKind::transient : kind;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  constexpr std::size_t kMostDigits = 12;
  if (text.empty() || text.size() > kMostDigits ||
      text.find_first_not_of("0123456789") != std::string_view::npos) {
    return std::nullopt;
  }
  std::int64_t number = 0;
  for (const char digit : text) {
    number = number * 10 + (digit - '0');
  }
  return number;
}

// x-amz-retry-after is in milliseconds; Retry-After in seconds, or a date, which counts from the
// answer's own Date so that this host's clock does not matter.
std::optional<milliseconds> retry_after_of(const HttpResponse& response) {
  constexpr std::int64_t kLongest = 24 * 3600 * 1000;
  if (const auto count = whole_number(response.header("x-amz-retry-after"))) {
    return milliseconds(std::min(*count, kLongest));
  }
  const std::string_view text = response.header("retry-after");
  if (const auto count = whole_number(text)) {
    return milliseconds(std::min(*count * 1000, kLongest));
  }
  const auto until = parse_http_date(text);
  const auto date = parse_http_date(response.header("date"));
  if (!until || !date) {
    return std::nullopt;
  }
  return std::clamp<milliseconds>(*until - *date, milliseconds(0), milliseconds(kLongest));
}

// The same refusal of a place reads the same each time, whoever compares it with what was said.
std::string message_of(const Answer& answer, const HttpResponse& response, FailureKind kind,
                       const std::string& what) {
  std::string message = what + ": ";
  const std::string text = one_line(without_repeated_request(answer.message), kLongestText);
  if (answer.code.empty() && text.empty()) {
    message += "the service gave no reason";
  } else {
    message += answer.code;
    message += answer.code.empty() || text.empty() ? "" : ": ";
    message += text;
  }
  if (!answer.region.empty()) {
    message += ", Region " + answer.region;
  }
  message += " (HTTP " + std::to_string(response.status);
  if (kind == FailureKind::redirected) {
    return message + ")";
  }
  for (const std::string_view name : {"x-amzn-requestid", "x-amz-request-id"}) {
    const std::string_view id = response.header(name);
    if (!id.empty()) {
      message += ", request " + one_line(id, 64);
      break;
    }
  }
  return message + ")";
}

}  // namespace

const char* name_of(FailureKind kind) {
  switch (kind) {
    case FailureKind::transient:
      return "transient";
    case FailureKind::throttled:
      return "throttled";
    case FailureKind::credentials:
      return "credentials";
    case FailureKind::clock:
      return "clock";
    case FailureKind::denied:
      return "denied";
    case FailureKind::redirected:
      return "redirected";
    case FailureKind::not_found:
      return "not_found";
    case FailureKind::conflict:
      return "conflict";
    case FailureKind::rejected:
      return "rejected";
    case FailureKind::cancelled:
      return "cancelled";
  }
  return "unknown";
}

bool passes_by_itself(FailureKind kind) {
  return kind == FailureKind::transient || kind == FailureKind::throttled;
}

ServiceFailure failure_of(const HttpFailure& failure, const std::string& what) {
  ServiceFailure result;
  switch (failure.kind) {
    case HttpFailure::Kind::cancelled:
      result.kind = FailureKind::cancelled;
      break;
    case HttpFailure::Kind::usage:
      result.kind = FailureKind::rejected;
      break;
    default:
      result.kind = FailureKind::transient;
  }
  result.message = what + ": " + failure.message;
  return result;
}

ServiceFailure failure_of(const HttpResponse& response, const std::string& what) {
  Answer answer = read_answer(response);
  ServiceFailure result;
  result.kind = kind_of_answer(answer, response.status);
  result.status = response.status;
  result.message = message_of(answer, response, result.kind, what);
  result.retry_after = retry_after_of(response);
  result.code = std::move(answer.code);
  result.region = std::move(answer.region);
  return result;
}

}  // namespace invlog::aws

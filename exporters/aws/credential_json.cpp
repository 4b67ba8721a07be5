#include "exporters/aws/credential_json.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "exporters/aws/iso_time.h"
#include "exporters/aws/message_text.h"

namespace invlog::aws {
namespace {

using Object = simdjson::dom::object;

// More than any answer needs, and little enough to parse.
constexpr std::size_t kLongest = 256 << 10;
constexpr std::size_t kLongestMessage = 300;

// "" if it is absent, null or no text.
std::string text_in(const Object& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

bool is_version_1(const Object& object) {
  std::int64_t version = 0;
  return object["Version"].get(version) == simdjson::SUCCESS && version == 1;
}

std::string joined(const std::string& code, const std::string& message) {
  return one_line(code.empty() || message.empty() ? code + message : code + ": " + message,
                  kLongestMessage);
}

// What is wrong with the object as a whole, "" if nothing is.
std::string problem_of(const Object& object, CredentialJsonForm form) {
  if (form == CredentialJsonForm::process && !is_version_1(object)) {
    return "Version is not the number 1";
  }
  if (form == CredentialJsonForm::imds) {
    const std::string code = text_in(object, "Code");
    if (!code.empty() && code != "Success") {
      return "Code is " + joined(code, text_in(object, "Message"));
    }
  }
  return "";
}

std::string take(const Object& object, const char* key, bool needed, std::string& value) {
  value = text_in(object, key);
  if (needed && value.empty()) {
    return std::string(key) + " is missing";
  }
  if (!fits_a_header(value)) {
    return std::string(key) + " has characters that no such value has";
  }
  return "";
}

std::string take_expiration(const Object& object, Credentials& credentials) {
  const simdjson::simdjson_result<simdjson::dom::element> member = object["Expiration"];
  if (member.error() != simdjson::SUCCESS || member.is_null()) {
    return "";
  }
  credentials.expiration = parse_iso_time(text_in(object, "Expiration"));
  return credentials.expiration ? "" : "Expiration is not a time of the form 2026-10-05T14:03:59Z";
}

bool parse_object(simdjson::dom::parser& parser, std::string_view json, Object& object) {
  return json.size() <= kLongest &&
         parser.parse(json.data(), json.size()).get(object) == simdjson::SUCCESS;
}

}  // namespace

tl::expected<Credentials, std::string> parse_credential_json(std::string_view json,
                                                             CredentialJsonForm form) {
  simdjson::dom::parser parser;
  Object object;
  if (!parse_object(parser, json, object)) {
    return tl::unexpected<std::string>("not a JSON object");
  }
  Credentials credentials;
  std::string problem = problem_of(object, form);
  if (problem.empty()) {
    problem = take(object, "AccessKeyId", true, credentials.access_key_id);
  }
  if (problem.empty()) {
    problem = take(object, "SecretAccessKey", true, credentials.secret_access_key);
  }
  if (problem.empty()) {
    const bool process = form == CredentialJsonForm::process;
    problem = take(object, process ? "SessionToken" : "Token", !process, credentials.session_token);
  }
  if (problem.empty()) {
    problem = take_expiration(object, credentials);
  }
  if (!problem.empty()) {
    return tl::unexpected(std::move(problem));
  }
  return credentials;
}

std::string error_in_json(std::string_view json) {
  simdjson::dom::parser parser;
  Object object;
  if (!parse_object(parser, json, object)) {
    return "";
  }
  const auto either = [&object](const char* one, const char* other) {
    const std::string text = text_in(object, one);
    return text.empty() ? text_in(object, other) : text;
  };
  return joined(either("code", "Code"), either("message", "Message"));
}

}  // namespace invlog::aws

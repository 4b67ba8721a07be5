#include "exporters/aws/imds_credentials.h"

#include <algorithm>
#include <utility>

#include "exporters/aws/credential_json.h"
#include "exporters/aws/role_settings.h"

namespace invlog::aws {
namespace {

constexpr const char* kRolePath = "/latest/meta-data/iam/security-credentials/";

bool is_role_name(std::string_view text) {
  return !text.empty() && text.size() <= 128 &&
         std::all_of(text.begin(), text.end(), is_session_name_character);
}

}  // namespace

ProvideResult ImdsCredentials::provide() {
  if (!client_.enabled()) {
    why_nothing_ = "AWS_EC2_METADATA_DISABLED is true";
    return std::nullopt;
  }
  auto fetched = fetch();
  if (fetched) {
    return std::move(*fetched);
  }
  if (fetched.error().nobody) {
    why_nothing_ = std::move(fetched.error().text);
    return std::nullopt;
  }
  return tl::unexpected(
      CredentialsError("IMDS: " + fetched.error().text, fetched.error().may_pass));
}

tl::expected<Credentials, ImdsClient::Trouble> ImdsCredentials::fetch() {
  const auto list = client_.get(kRolePath, "the role's name");
  if (!list) {
    return tl::unexpected(list.error());
  }
  if (list->status == 404) {
    return tl::unexpected(ImdsClient::Trouble{true, "no role is attached to this instance"});
  }
  if (list->status != 200) {
    return tl::unexpected(client_.trouble_of(*list, "the role's name"));
  }
  const std::string role(trimmed_answer(list->body.substr(0, list->body.find('\n'))));
  if (!is_role_name(role)) {
    return tl::unexpected(ImdsClient::Trouble{
        false, client_.address() + kRolePath + " did not answer with a role's name"});
  }
  const auto answer = client_.get(kRolePath + role, "role " + role);
  if (!answer) {
    return tl::unexpected(answer.error());
  }
  if (answer->status != 200) {
    return tl::unexpected(client_.trouble_of(*answer, "role " + role));
  }
  auto credentials = parse_credential_json(answer->body, CredentialJsonForm::imds);
  if (!credentials) {
    return tl::unexpected(ImdsClient::Trouble{
        false, client_.address() + ": the answer for role " + role + ": " + credentials.error()});
  }
  credentials->source = "IMDS role " + role;
  return std::move(*credentials);
}

}  // namespace invlog::aws

#include "exporters/aws/web_identity_credentials.h"

#include <optional>
#include <utility>

#include "exporters/aws/cached_credentials.h"
#include "exporters/aws/token_file.h"

namespace invlog::aws {
namespace {

constexpr const char* kTokenFile = "AWS_WEB_IDENTITY_TOKEN_FILE";
constexpr const char* kRole = "AWS_ROLE_ARN";
constexpr const char* kSession = "AWS_ROLE_SESSION_NAME";
constexpr std::size_t kShortestToken = 4;

class NoCredentials final : public CredentialsProvider {
 public:
  ProvideResult provide() override { return std::nullopt; }
};

// Says that the environment names no web identity, or names a wrong one.
class NoWebIdentity final : public CredentialsProvider {
 public:
  explicit NoWebIdentity(std::string error) : error_(std::move(error)) {}
  ProvideResult provide() override {
    if (error_.empty()) {
      return std::nullopt;
    }
    return tl::unexpected("web identity: " + error_);
  }
  std::string name() const override { return "web identity"; }
  std::string why_nothing() const override { return std::string(kTokenFile) + " is not set"; }

 private:
  const std::string error_;
};

}  // namespace

WebIdentityCredentials::WebIdentityCredentials(const ChainOptions& options, std::string owner,
                                               std::string token_file, RoleSettings role)
    : owner_(std::move(owner)),
      token_file_(std::move(token_file)),
      role_(std::move(role)),
      unsigned_(std::make_unique<NoCredentials>()),
      sts_(options, *unsigned_) {}

ProvideResult WebIdentityCredentials::provide() {
  auto token = read_token_file(token_file_);
  if (!token) {
    return tl::unexpected(name() + ": the token of role " + role_.role_arn + ": " + token.error());
  }
  if (token->size() < kShortestToken || token->find(' ') != std::string::npos) {
    return tl::unexpected(name() + ": " + token_file_ + " does not hold a token");
  }
  AssumeRoleRequest request;
  request.role_arn = role_.role_arn;
  request.session_name = role_.session_name;
  request.duration = role_.duration;
  request.web_identity_token = std::move(*token);
  auto credentials = sts_.assume(request);
  if (!credentials) {
    return tl::unexpected(CredentialsError(name() + ": " + credentials.error().message,
                                           credentials.error().may_pass));
  }
  credentials->source =
      (owner_.empty() ? "" : owner_ + ": ") + std::string("web identity ") + role_.role_arn;
  return std::move(*credentials);
}

std::unique_ptr<CredentialsProvider> web_identity_by_environment(const ChainOptions& options) {
  const std::string token_file = value_of(options.environment, kTokenFile);
  RoleSettings role;
  role.role_arn = value_of(options.environment, kRole);
  role.session_name = value_of(options.environment, kSession);
  if (token_file.empty()) {
    return std::make_unique<NoWebIdentity>("");
  }
  if (role.role_arn.empty()) {
    return std::make_unique<NoWebIdentity>(std::string(kTokenFile) + " is set, but " + kRole +
                                           " is not");
  }
  if (const auto problem = problem_of_role_arn(role.role_arn)) {
    return std::make_unique<NoWebIdentity>(std::string(kRole) + " " + *problem);
  }
  if (role.session_name.empty()) {
    role.session_name = options.role_session_name;
  }
  if (const auto problem = problem_of_session_name(role.session_name)) {
    return std::make_unique<NoWebIdentity>(std::string(kSession) + " " + *problem);
  }
  return cached(std::make_unique<WebIdentityCredentials>(options, "", token_file, std::move(role)),
                options);
}

}  // namespace invlog::aws

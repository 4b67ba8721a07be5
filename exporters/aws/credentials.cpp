#include "exporters/aws/credentials.h"

#include <cstdlib>

namespace invlog::aws {
namespace {

std::string value_or_empty(const Environment& environment, const char* name) {
  return environment(name).value_or("");
}

class EnvironmentProvider final : public CredentialsProvider {
 public:
  explicit EnvironmentProvider(Environment environment) : environment_(std::move(environment)) {}

  ProvideResult provide() override {
    Credentials credentials;
    credentials.access_key_id = value_or_empty(environment_, "AWS_ACCESS_KEY_ID");
    credentials.secret_access_key = value_or_empty(environment_, "AWS_SECRET_ACCESS_KEY");
    credentials.session_token = value_or_empty(environment_, "AWS_SESSION_TOKEN");
    credentials.source = "environment";
    if (credentials.access_key_id.empty() && credentials.secret_access_key.empty()) {
      return std::nullopt;
    }
    if (credentials.access_key_id.empty()) {
      return tl::unexpected<std::string>(
          "environment: AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    }
    if (credentials.secret_access_key.empty()) {
      return tl::unexpected<std::string>(
          "environment: AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not");
    }
    return credentials;
  }

 private:
  const Environment environment_;
};

class ProviderChain final : public CredentialsProvider {
 public:
  explicit ProviderChain(std::vector<std::unique_ptr<CredentialsProvider>> links)
      : links_(std::move(links)) {}

  ProvideResult provide() override {
    for (const auto& link : links_) {
      ProvideResult result = link->provide();
      if (!result || *result) {
        return result;
      }
    }
    return std::nullopt;
  }

 private:
  const std::vector<std::unique_ptr<CredentialsProvider>> links_;
};

}  // namespace

Environment process_environment() {
  return [](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    return value == nullptr ? std::nullopt : std::optional<std::string>(value);
  };
}

std::unique_ptr<CredentialsProvider> environment_provider(Environment environment) {
  return std::make_unique<EnvironmentProvider>(std::move(environment));
}

std::unique_ptr<CredentialsProvider> provider_chain(
    std::vector<std::unique_ptr<CredentialsProvider>> links) {
  return std::make_unique<ProviderChain>(std::move(links));
}

std::unique_ptr<CredentialsProvider> default_chain(Environment environment) {
  std::vector<std::unique_ptr<CredentialsProvider>> links;
  links.push_back(environment_provider(environment));
  links.push_back(profile_provider(std::move(environment)));
  return provider_chain(std::move(links));
}

}  // namespace invlog::aws

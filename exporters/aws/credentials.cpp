#include "exporters/aws/credentials.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

namespace invlog::aws {
namespace {

class EnvironmentProvider final : public CredentialsProvider {
 public:
  explicit EnvironmentProvider(Environment environment) : environment_(std::move(environment)) {}

  ProvideResult provide() override {
    Credentials credentials;
    credentials.access_key_id = value_of(environment_, "AWS_ACCESS_KEY_ID");
    credentials.secret_access_key = value_of(environment_, "AWS_SECRET_ACCESS_KEY");
    credentials.session_token = value_of(environment_, "AWS_SESSION_TOKEN");
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
    const std::pair<const char*, const std::string&> values[] = {
        {"AWS_ACCESS_KEY_ID", credentials.access_key_id},
        {"AWS_SECRET_ACCESS_KEY", credentials.secret_access_key},
        {"AWS_SESSION_TOKEN", credentials.session_token}};
    for (const auto& [variable, value] : values) {
      if (!fits_a_header(value)) {
        return tl::unexpected<std::string>(
            std::string("environment: ") + variable +
            " has characters that no such value has, such as a line end behind it");
      }
    }
    return credentials;
  }

  std::string name() const override { return "environment"; }
  std::string why_nothing() const override {
    return "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set";
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

  void forget() override {
    for (const auto& link : links_) {
      link->forget();
    }
  }

  std::vector<LinkReport> explain() override {
    std::vector<LinkReport> reports;
    bool decided = false;
    for (const auto& link : links_) {
      if (decided) {
        reports.push_back(
            {link->name(), LinkReport::Outcome::not_asked, "a link before it decided", {}});
        continue;
      }
      for (LinkReport& report : link->explain()) {
        decided = decided || report.outcome == LinkReport::Outcome::answered ||
                  report.outcome == LinkReport::Outcome::failed;
        reports.push_back(std::move(report));
      }
    }
    return reports;
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

bool fits_a_header(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

std::string value_of(const Environment& environment, const char* name) {
  return environment(name).value_or("");
}

std::vector<LinkReport> CredentialsProvider::explain() {
  const ProvideResult result = provide();
  LinkReport report;
  report.link = name();
  if (!result) {
    report.outcome = LinkReport::Outcome::failed;
    report.detail = result.error().message;
  } else if (!*result) {
    report.outcome = LinkReport::Outcome::not_configured;
    report.detail = why_nothing();
  } else {
    report.outcome = LinkReport::Outcome::answered;
    report.detail = (*result)->source;
    report.expiration = (*result)->expiration;
  }
  return {std::move(report)};
}

std::unique_ptr<CredentialsProvider> environment_provider(Environment environment) {
  return std::make_unique<EnvironmentProvider>(std::move(environment));
}

std::unique_ptr<CredentialsProvider> provider_chain(
    std::vector<std::unique_ptr<CredentialsProvider>> links) {
  return std::make_unique<ProviderChain>(std::move(links));
}

}  // namespace invlog::aws

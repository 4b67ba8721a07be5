// Credentials that a container's agent gives over HTTP: ECS task roles
// (AWS_CONTAINER_CREDENTIALS_RELATIVE_URI) and EKS Pod Identity (AWS_CONTAINER_CREDENTIALS_FULL_URI
// with AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE). Source: AWS SDKs and Tools Reference Guide,
// "Container credential provider"; facts/aws-delivery.md §6.2.
//
// Threads: one at a time (its cache sees to that); blocks for at most three tries of 2 s, 1 s
// apart. Errors: the URL's host and the cause; never the authorization token.
#pragma once

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "exporters/aws/chain_options.h"
#include "exporters/aws/credentials.h"

namespace invlog::aws {

// What is wrong with a URL that credentials and a token would go through, "" if nothing is. Plain
// http is for loopback and the addresses of ECS and EKS alone; https goes anywhere.
std::string problem_of_container_url(const std::string& url);

class ContainerCredentials final : public CredentialsProvider {
 public:
  explicit ContainerCredentials(const ChainOptions& options);
  ProvideResult provide() override;
  std::string name() const override { return "container"; }
  std::string why_nothing() const override;
  // Whether the environment names an address at all.
  bool configured() const { return !variable_.empty(); }

 private:
  tl::expected<std::string, std::string> authorization() const;
  ProvideResult ask(const std::string& authorization);

  const ChainOptions options_;
  std::string variable_;  // that names the address
  std::string url_;
  std::unique_ptr<HttpClient> http_;
};

}  // namespace invlog::aws

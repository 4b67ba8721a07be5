#include "exporters/aws/credential_chain.h"

#include <utility>
#include <vector>

#include "exporters/aws/cached_credentials.h"
#include "exporters/aws/container_credentials.h"
#include "exporters/aws/imds_credentials.h"
#include "exporters/aws/profile_credentials.h"
#include "exporters/aws/systemd_credentials.h"
#include "exporters/aws/web_identity_credentials.h"

namespace invlog::aws {

std::unique_ptr<CredentialsProvider> default_chain(const ChainOptions& options) {
  std::vector<std::unique_ptr<CredentialsProvider>> links;
  const bool profile_named = !options.profile.empty();
  if (!profile_named) {
    links.push_back(environment_provider(options.environment));
  }
  links.push_back(std::make_unique<SystemdCredentials>(options));
  links.push_back(std::make_unique<ProfileCredentials>(
      options, profile_paths(options.environment), ProfileCredentials::Absence::error_if_named));
  if (!profile_named) {
    links.push_back(web_identity_by_environment(options));
    links.push_back(cached(std::make_unique<ContainerCredentials>(options), options));
    links.push_back(cached(std::make_unique<ImdsCredentials>(options), options, true));
  }
  return provider_chain(std::move(links));
}

}  // namespace invlog::aws

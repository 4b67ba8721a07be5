#include "agent/service/service_files.h"

#include <unistd.h>

namespace invlog::service {
namespace {

// systemd says the first where there are credentials, the second to the process that it starts.
bool is_of_systemd(const aws::Environment& environment) {
  return !aws::value_of(environment, "CREDENTIALS_DIRECTORY").empty() ||
         aws::value_of(environment, "SYSTEMD_EXEC_PID") == std::to_string(::getpid());
}

}  // namespace

std::string service_alone_has(const ServiceFiles& files, const aws::Environment& environment,
                              const std::string& command) {
  std::string there;
  for (const std::string& file : {files.environment, files.credentials}) {
    if (::access(file.c_str(), F_OK) == 0)
      there += (there.empty() ? "" : " and ") + file;
  }
  if (there.empty() || is_of_systemd(environment))
    return "";
  return "what " + there +
         " says is for the service alone; to see what that sees: sudo systemd-run --quiet --pipe "
         "--wait --collect -p User=invlog -p EnvironmentFile=-/etc/default/invlog -p "
         "LoadCredential=aws-credentials:invlog.aws-credentials " +
         command;
}

}  // namespace invlog::service

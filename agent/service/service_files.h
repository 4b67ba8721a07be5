// What systemd gives the installed service, and no command that somebody runs: static keys and
// environment. A command that looks for the same finds neither, and must not call that a fault.
//
// Thread: any; looks whether files are there. Errors: none.
#pragma once

#include <string>

#include "exporters/aws/credentials.h"

namespace invlog::service {

// As invlog.service names them.
struct ServiceFiles {
  std::string environment = "/etc/default/invlog";
  std::string credentials = "/etc/credstore/invlog.aws-credentials";
};

// Which of these are there and for the service alone, and how `command` sees what it sees. "":
// none that this user sees, or the process is one of systemd's, which has them.
std::string service_alone_has(const ServiceFiles& files, const aws::Environment& environment,
                              const std::string& command);

}  // namespace invlog::service

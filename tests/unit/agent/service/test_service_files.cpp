#include "agent/service/service_files.h"

#include <unistd.h>

#include "tests/contains.h"
#include "tests/shared_files.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::service;
using namespace invlog::tests;

TEST_CASE("what is there for the service alone is told to others") {
  const TemporaryDirectory directory;
  const ServiceFiles files{directory.path() + "/environment", directory.path() + "/credentials"};
  const auto told = [&](std::map<std::string, std::string> variables = {}) {
    return service_alone_has(files, environment_of(std::move(variables)), "invlog doctor");
  };
  CHECK(told() == "");
  directory.write("environment", "");
  CHECK(told().starts_with("what " + files.environment + " says is for the service alone; "));
  directory.write("credentials", "");
  CHECK(told().starts_with("what " + files.environment + " and " + files.credentials + " says "));
  CHECK(told().ends_with(" invlog doctor"));
  CHECK(told({{"CREDENTIALS_DIRECTORY", "/run/credentials/invlog.service"}}) == "");
  CHECK(told({{"SYSTEMD_EXEC_PID", std::to_string(::getpid())}}) == "");
  CHECK(told({{"SYSTEMD_EXEC_PID", "1"}}) != "");  // of a program that this one descends from
}

TEST_CASE("the advice gives a command what the units give the service") {
  const ServiceFiles files{"/", "/"};
  const std::string told = service_alone_has(files, environment_of({}), "invlog doctor");
  for (const char* unit : {"systemd/invlog.service.in", "systemd/invlog@.service.in"}) {
    const std::string text = read_whole_file(unit);
    for (const char* property : {"User=invlog", "EnvironmentFile=-/etc/default/invlog",
                                 "LoadCredential=aws-credentials:invlog.aws-credentials"}) {
      INFO(unit << " " << property);
      CHECK(contains(text, std::string("\n") + property + "\n"));
      CHECK(contains(told, std::string(" -p ") + property + " "));
    }
  }
}

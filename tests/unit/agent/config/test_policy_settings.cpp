#include "agent/config/config_loader.h"
#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;

namespace {

// Without the directory that the file is in.
Problems warnings_of(const std::string& policy) {
  const TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("c.toml", "[policy]\n" + policy + "\n" + kRegion);
  LoadedConfig loaded = load_config(sources);
  CHECK(loaded.problems == Problems());
  for (std::string& warning : loaded.warnings) {
    warning.erase(0, directory.path().size() + 1);
  }
  return loaded.warnings;
}

}  // namespace

TEST_CASE("a policy is warned of geographies that no known profile has") {
  CHECK(warnings_of("deny = \"geo:ue\"") ==
        Problems{"c.toml:2:8: deny: \"geo:ue\" probably matches no call: no known profile has it; "
                 "did you mean \"geo:eu\"?"});
  CHECK(warnings_of("allow = [\"in-region\", \"geo:apca\"]") ==
        Problems{"c.toml:2:9: allow: \"geo:apca\" probably matches no call: no known profile has "
                 "it; did you mean \"geo:apac\"?"});
  CHECK(warnings_of("rules = [\"deny global\", \"flag geo:atlantis caller:x\"]") ==
        Problems{"c.toml:2:9: rules: \"geo:atlantis\" probably matches no call: no known profile "
                 "has it; known are geo:us, geo:eu, geo:apac, geo:jp, geo:au, geo:ca, "
                 "geo:us-gov"});
  CHECK(warnings_of("deny = \"geo:global\"") ==
        Problems{"c.toml:2:8: deny: \"geo:global\" matches no call: a global profile has no "
                 "geography; write \"global\""});
  CHECK(
      warnings_of("deny = [\"geo:us\", \"global\", \"profile:ue.*\"]\nallow = [\"geo:us-gov\"]") ==
      Problems());
}

TEST_CASE("a policy is warned of Regions that are not known") {
  CHECK(warnings_of("allow_destinations = [\"eu-west-1\", \"eu-centrl-1\"]") ==
        Problems{"c.toml:2:22: allow_destinations: \"eu-centrl-1\" is no known Region; did you "
                 "mean \"eu-central-1\"?"});
  CHECK(warnings_of("allow_destinations = [\"eusc-de-east-1\", \"us-gov-west-1\"]") == Problems());
}

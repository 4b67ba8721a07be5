#include "agent/config/effective_config.h"

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/shared_files.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/proxy/authority_scene.h"

using namespace invlog::config;
using namespace invlog::tests;

namespace {

// Values of every form, some at odds with TOML's own notation.
constexpr const char* kEverything = R"([agent]
region = "eu-central-1"
listen = ["127.0.0.1:0", "unix:/run/invlog/s"]
max_request_size = 1048576
[exporters.s3]
bucket = "records-eu"
tags = { "a b" = "x\"y", team = "z" }
large_bodies = false
[exporters.cloudwatch_logs]
log_group = "/invlog/records"
retention_days = 365
[aws]
profile = "invlog"
[retention]
max_age = "400d"
[policy]
deny = []
rules = ["deny global caller:ci-*"]
[proxy]
hosts = ["bedrock.corp.example"]
connect_to = "[2001:db8::1]:8443"
[privacy]
redact_patterns = ['ticket-\d+', "\u007f\t"]
sample_bodies = 0.25
)";

LoadedConfig load_text(const TemporaryDirectory& directory, const std::string& text) {
  ConfigSources sources = no_sources();
  sources.file = directory.write("effective.toml", text);
  return load_config(sources);
}

std::string toml_of(const LoadedConfig& loaded, const invlog::aws::Environment& environment = {}) {
  return effective_toml(effective_values(loaded, environment));
}

}  // namespace

TEST_CASE("the effective configuration is a configuration that means the same") {
  const TemporaryDirectory directory;
  const std::string text = GENERATE(std::string(kEverything), kRegion);
  const LoadedConfig loaded = load_text(directory, text);
  REQUIRE(loaded.problems == Problems());
  const std::string printed = toml_of(loaded);
  INFO(printed);
  const LoadedConfig again = load_text(directory, printed);
  CHECK(again.problems == Problems());
  CHECK(again.configuration == loaded.configuration);
}

TEST_CASE("each value says where it comes from") {
  const TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("invlog.toml", "[agent]\ndurability = \"strict\"\n[retention]\n");
  const std::string more = directory.write("conf.d/10.toml", "[retention]\nmax_age = \"7d\"\n");
  sources.flags = {{"log_level", "debug"}};
  sources.environment = environment_of({{"AWS_REGION", "eu-south-1"},
                                        {"AWS_PROFILE", "ours"},
                                        {"AWS_ENDPOINT_URL_STS", "http://me:hush@127.0.0.1"}});
  const LoadedConfig loaded = load_config(sources);
  REQUIRE(loaded.problems == Problems());
  const std::string toml = toml_of(loaded, sources.environment);
  INFO(toml);
  CHECK(contains(toml, "\nregion_mismatch = \"refuse\"  # default\n"));
  CHECK(contains(toml, "[agent]\nregion = \"eu-south-1\"  # environment AWS_REGION\n"));
  CHECK(contains(toml, "\ndurability = \"strict\"  # " + *sources.file + ":2:14\n"));
  CHECK(contains(toml, "\nlog_level = \"debug\"  # flag --log-level\n"));
  CHECK(contains(toml, "\nmax_age = \"7d\"  # " + more + ":2:11\n"));
  CHECK(contains(toml, "\nlisten = [\"127.0.0.1:4180\"]  # default\n"));
  CHECK(contains(toml, "eu-south-1.amazonaws.com\"  # default, by region\n"));
  CHECK(contains(toml, "\n# max_size: not set\n"));
  CHECK(contains(toml, "\n# [policy]: not configured\n"));
  CHECK(contains(toml, "\nprofile = \"ours\"  # environment AWS_PROFILE\n"));
  CHECK(!contains(toml, "hush"));
  const std::string json = effective_json(effective_values(loaded, sources.environment));
  CHECK(contains(json, R"("log_level":{"value":"debug","from":"flag --log-level"})"));
  CHECK(contains(json, R"("max_size":{"value":null,"from":null})"));
  CHECK(contains(json, R"("exporters.s3":null)"));
}

TEST_CASE("a variable that is in force is shown, where the key is empty too") {
  const TemporaryDirectory directory;
  const LoadedConfig loaded =
      load_text(directory, kRegion + "[aws]\nprofile = \"\"\nca_bundle = \"\"\n");
  AuthorityScene roots;
  roots.create();
  const std::string bundle = roots.path("ca.pem");
  std::string toml = toml_of(loaded, environment_of({{"AWS_DEFAULT_PROFILE", "theirs"}}));
  CHECK(contains(toml, "\nprofile = \"theirs\"  # environment AWS_DEFAULT_PROFILE\n"));
  CHECK(contains(toml, "\nca_bundle = \"\"  # " + directory.path() + "/effective.toml:5:13\n"));
  toml = toml_of(loaded, environment_of({{"AWS_DEFAULT_PROFILE", "theirs"},
                                         {"AWS_PROFILE", "ours"},
                                         {"AWS_CA_BUNDLE", bundle}}));
  CHECK(contains(toml, "\nprofile = \"ours\"  # environment AWS_PROFILE\n"));
  CHECK(contains(toml, "\nca_bundle = \"" + bundle + "\"  # environment AWS_CA_BUNDLE\n"));
}

TEST_CASE("a number of a flag is printed as files have it") {
  ConfigSources sources = with_flags({{"region", "eu-central-1"}, {"max_connections", "0100"}});
  const LoadedConfig loaded = load_config(sources);
  REQUIRE(loaded.problems == Problems());
  CHECK(contains(toml_of(loaded), "\nmax_connections = 100  # flag --max-connections\n"));
  CHECK(
      contains(effective_json(effective_values(loaded, {})), R"("max_connections":{"value":100,)"));
}

TEST_CASE("pairs and numbers are of their kind in JSON") {
  const TemporaryDirectory directory;
  const std::string json = effective_json(effective_values(load_text(directory, kEverything), {}));
  CHECK(contains(json, R"("tags":{"value":{"a b":"x\"y", "team":"z"},)"));
  CHECK(contains(json, R"("retention_days":{"value":365,)"));
  CHECK(contains(json, R"("large_bodies":{"value":false,)"));
  CHECK(contains(json, R"("deny":{"value":[],)"));
}

// A default stands in three places: the code, the table of settings, the example.
TEST_CASE("the defaults of the tables are those of the code and of the example") {
  const std::string text = read_whole_file("systemd/invlog.toml");
  for (const SettingsTable* table : settings_tables()) {
    const std::size_t begin = text.find("[" + std::string(table->name) + "]\n");
    REQUIRE(begin != std::string::npos);
    const std::size_t end = std::min(text.find("\n[", begin), text.find("\n# [", begin));
    const std::string part = text.substr(begin, end - begin);
    for (const Setting& setting : table->settings) {
      INFO(table->name << " " << setting.key);
      const std::string line = "\n" + std::string(setting.key) + " = ";
      if (setting.default_text.empty()) {
        // A line that is no comment states a default; "[]" is none.
        CHECK(contains(part, line) == contains(part, line + "[]\n"));
        continue;
      }
      const std::string value(setting.default_text);
      const bool bare = setting.form == ValueForm::boolean || setting.form == ValueForm::number ||
                        setting.form == ValueForm::fraction;
      const std::string stated = bare ? value : "\"" + value + "\"";
      CHECK((contains(part, line + stated) || contains(part, "\n# " + line.substr(1) + stated) ||
             contains(part, "Default: " + stated)));
      AgentConfig untouched, set;
      table->begin(untouched);
      table->begin(set);
      CHECK(setting.apply(set, {value}) == std::nullopt);
      CHECK(set == untouched);
    }
  }
}

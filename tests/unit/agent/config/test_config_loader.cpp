#include "agent/config/config_loader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <regex>

#include "agent/config/settings.h"
#include "agent/proxy/authority_files.h"
#include "tests/catch.h"
#include "tests/shared_files.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

// A PEM file with one.
std::string certificates_in(const TemporaryDirectory& directory) {
  const auto created =
      invlog::proxy::AuthorityFiles(directory.path())
          .create({"eu-central-1", "host", {"bedrock.test"}}, {}, std::chrono::system_clock::now());
  return created ? directory.path() + "/ca.pem" : created.error();
}

}  // namespace

TEST_CASE("a Region is all that is needed; the rest has defaults") {
  const auto result = load_agent_config(with_flags({{"region", "eu-central-1"}}));
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->region == "eu-central-1");
  CHECK(result->state_dir == "/var/lib/invlog");
  CHECK(result->listen_host == "127.0.0.1");
  CHECK(result->listen_port == 4180);
  CHECK(result->listen_socket.empty());
  CHECK(result->upstream == "https://bedrock-runtime.eu-central-1.amazonaws.com");
  CHECK(result->durability == Durability::group);
  CHECK(result->on_overload == OnOverload::block);
  CHECK(result->on_storage_failure == OnStorageFailure::pass);
  CHECK(result->max_request_bytes == 32u << 20);
  CHECK(result->queue_bytes == 4u << 20);
  CHECK(result->connect_timeout == 5s);
  CHECK(result->idle_timeout == 300s);
  CHECK(result->store_path() == "/var/lib/invlog/eu-central-1.db");
}

TEST_CASE("every key of the file arrives") {
  TemporaryDirectory directory;
  const std::string bundle = certificates_in(directory);
  const auto result = from_file(R"([agent]
region = "eu-south-1"
state_dir = "/srv/invlog/"
listen = ["[::1]:9000", "unix:/run/invlog/invlog.sock"]
upstream = "http://127.0.0.1:8080/"
ca_bundle = ")" + bundle + R"("
account_id = "012345678901"
identity_arn = "arn:aws:iam::012345678901:role/app"
durability = "strict"
on_overload = "pass"
on_storage_failure = "deny"
max_request_size = "64MiB"
max_recorded_response_size = 1048576
queue_size = "16 MiB"
connect_timeout = "250ms"
idle_timeout = "10m"
stop_timeout = "2m"
log_level = "debug"
)");
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->region == "eu-south-1");
  CHECK(result->state_dir == "/srv/invlog");
  CHECK(result->listen_host == "::1");
  CHECK(result->listen_port == 9000);
  CHECK(result->listen_socket == "/run/invlog/invlog.sock");
  CHECK(result->upstream == "http://127.0.0.1:8080");
  CHECK(result->ca_bundle == bundle);
  CHECK(result->account_id == "012345678901");
  CHECK(result->identity_arn == "arn:aws:iam::012345678901:role/app");
  CHECK(result->durability == Durability::strict);
  CHECK(result->on_overload == OnOverload::pass);
  CHECK(result->on_storage_failure == OnStorageFailure::deny);
  CHECK(result->max_request_bytes == 64u << 20);
  CHECK(result->max_recorded_response_bytes == 1u << 20);
  CHECK(result->queue_bytes == 16u << 20);
  CHECK(result->connect_timeout == 250ms);
  CHECK(result->idle_timeout == 10min);
  CHECK(result->stop_timeout == 2min);
  CHECK(result->log_level == "debug");
}

TEST_CASE("the shipped example is valid, names every key, and states the defaults") {
  ConfigSources sources = no_sources();
  sources.environment = environment_of({{"AWS_REGION", "eu-central-1"}});
  const auto defaults = load_agent_config(sources);
  sources.file = "systemd/invlog.toml";
  const auto example = load_agent_config(sources);
  REQUIRE(error_of(example) == "(no error)");
  CHECK(example->state_dir == defaults->state_dir);
  CHECK(example->listen_host == defaults->listen_host);
  CHECK(example->listen_port == defaults->listen_port);
  CHECK(example->durability == defaults->durability);
  CHECK(example->on_overload == defaults->on_overload);
  CHECK(example->on_storage_failure == defaults->on_storage_failure);
  CHECK(example->region_mismatch == defaults->region_mismatch);
  CHECK(example->max_request_bytes == defaults->max_request_bytes);
  CHECK(example->max_recorded_response_bytes == defaults->max_recorded_response_bytes);
  CHECK(example->queue_bytes == defaults->queue_bytes);
  CHECK(example->connect_timeout == defaults->connect_timeout);
  CHECK(example->idle_timeout == defaults->idle_timeout);
  CHECK(example->stop_timeout == defaults->stop_timeout);
  CHECK(example->log_level == defaults->log_level);

  const std::string text = invlog::tests::read_whole_file("systemd/invlog.toml");
  for (const SettingsTable* table : settings_tables()) {
    std::size_t begin = text.find("[" + std::string(table->name) + "]\n");
    REQUIRE(begin != std::string::npos);
    const std::size_t end = std::min(text.find("\n[", begin), text.find("\n# [", begin));
    const std::string part = text.substr(begin, end - begin);
    for (const std::string_view key : table->keys()) {
      INFO(table->name << " " << key);
      const std::string line = std::string(key) + " = ";
      CHECK((contains(part, "\n" + line) || contains(part, "\n# " + line)));
    }
  }
}

// "# key = value" and "# [table]" become what they are without "# ".
std::string uncommented(std::string text) {
  static const std::regex kCommented("(^|\\n)# (?=[a-z_]+ = |\\[)");
  return std::regex_replace(text, kCommented, "$1");
}

TEST_CASE("the shipped example is valid with every commented key uncommented") {
  TemporaryDirectory directory;
  const std::string bundle = certificates_in(directory);
  std::string text = uncommented(invlog::tests::read_whole_file("systemd/invlog.toml"));
  text = std::regex_replace(text, std::regex("/etc/ssl/certs/[a-z.-]+"), bundle);
  const auto example = from_file(text);
  REQUIRE(error_of(example) == "(no error)");
  REQUIRE(example->exporters.s3);
  CHECK(example->exporters.s3->bucket == "records-eu");
  CHECK(example->exporters.s3->kms_key_id == "alias/invlog");
  REQUIRE(example->exporters.cloudwatch_logs);
  CHECK(example->exporters.cloudwatch_logs->retention_days == 365);
  CHECK(example->aws.profile == "invlog");
  CHECK(example->retention.max_age == 400 * 24h);
  CHECK(example->policy.rules.size() == 2);
}

// The value of each commented key that has a default is that default.
TEST_CASE("the shipped example states the exporters' defaults") {
  std::string text = uncommented(invlog::tests::read_whole_file("systemd/invlog.toml"));
  const auto without = [&text](const std::string& key) {
    text = std::regex_replace(text, std::regex("\n" + key + " = [^\n]*"), "");
  };
  for (const char* key :
       {"region", "upstream", "ca_bundle", "endpoint", "region_attested", "prefix", "encryption",
        "kms_key_id", "tags", "retention_days", "kms_key_arn", "expected_bucket_owner",
        "storage_class", "max_size", "max_age", "rules", "deny", "allow", "allow_destinations"}) {
    without(key);
  }
  text.replace(text.find("[agent]"), 7, "[agent]\nregion = \"eu-central-1\"");
  const auto example = from_file(text);
  REQUIRE(error_of(example) == "(no error)");
  const invlog::exporters::S3Options s3;
  CHECK(example->exporters.s3->path_style == s3.path_style);
  CHECK(example->exporters.s3->batch_bytes == s3.batch_bytes);
  CHECK(example->exporters.s3->batch_age == s3.batch_age);
  CHECK(example->exporters.s3->compression == s3.compression);
  CHECK(example->exporters.s3->large_bodies == s3.large_bodies);
  CHECK(example->exporters.s3->large_body_bytes == s3.large_body_bytes);
  CHECK(example->exporters.s3->checksum == s3.checksum);
  CHECK(example->exporters.s3->bucket_key == s3.bucket_key);
  CHECK(example->exporters.s3->if_none_match == s3.if_none_match);
  CHECK(example->exporters.s3->from_now == s3.from_now);
  const invlog::exporters::CloudWatchLogsOptions logs;
  CHECK(example->exporters.cloudwatch_logs->log_stream == logs.log_stream);
  CHECK(example->exporters.cloudwatch_logs->host_suffix == logs.host_suffix);
  CHECK(example->exporters.cloudwatch_logs->batch_bytes == logs.batch_bytes);
  CHECK(example->exporters.cloudwatch_logs->batch_age == logs.batch_age);
  CHECK(example->exporters.cloudwatch_logs->create == logs.create);
  CHECK(example->exporters.cloudwatch_logs->from_now == logs.from_now);
  CHECK(example->retention.keep_undelivered == RetentionConfig().keep_undelivered);
  CHECK(example->policy.unknown == PolicyConfig().unknown);
  CHECK(example->policy.observe == PolicyConfig().observe);
}

TEST_CASE("flags win over the file, the file over the environment") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.environment =
      environment_of({{"AWS_REGION", "eu-west-1"}, {"AWS_DEFAULT_REGION", "eu-west-2"}});
  CHECK(load_agent_config(sources)->region == "eu-west-1");
  sources.environment = environment_of({{"AWS_DEFAULT_REGION", "eu-west-2"}});
  CHECK(load_agent_config(sources)->region == "eu-west-2");
  sources.default_file =
      directory.write("default.toml", "[agent]\nregion = \"eu-west-3\"\nlog_level = \"error\"\n");
  CHECK(load_agent_config(sources)->region == "eu-west-3");
  sources.flags = {{"region", "eu-north-1"}, {"listen", "127.0.0.1:0,unix:/tmp/s"}};
  const auto result = load_agent_config(sources);
  REQUIRE(error_of(result) == "(no error)");
  CHECK(result->region == "eu-north-1");
  CHECK(result->listen_port == 0);
  CHECK(result->listen_socket == "/tmp/s");
  CHECK(result->log_level == "error");
}

TEST_CASE("the instance's Region is asked for where nothing else says it") {
  int asked = 0;
  ConfigSources sources = no_sources();
  sources.instance_region = [&asked] {
    ++asked;
    return std::string("eu-south-2");
  };
  CHECK(load_agent_config(sources)->region == "eu-south-2");
  CHECK(asked == 1);
  sources.environment = environment_of({{"AWS_REGION", "eu-west-1"}});
  CHECK(load_agent_config(sources)->region == "eu-west-1");
  CHECK(asked == 1);
  sources = no_sources();
  sources.instance_region = [] { return std::string(); };
  CHECK(contains(error_of(load_agent_config(sources)), "no Region"));
}

TEST_CASE("without a Region the error names what only the service reads") {
  const TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.service_files.environment = directory.write("default", "AWS_REGION=eu-central-1\n");
  CHECK(contains(error_of(load_agent_config(sources)),
                 "or set AWS_REGION (what " + sources.service_files.environment +
                     " says is for the service alone; to see what that sees: sudo systemd-run "));
}

TEST_CASE("without a Region the error says how to give one") {
  const std::string error = error_of(load_agent_config(no_sources()));
  CHECK(contains(error, "--region"));
  CHECK(contains(error, "AWS_REGION"));
}

TEST_CASE("a Region that nobody knows is warned of, wherever it was named") {
  const auto warnings = [](const char* region) {
    return load_config(with_flags({{"region", region}})).warnings;
  };
  REQUIRE(warnings("eu-centrl-1").size() == 1);
  CHECK(contains(warnings("eu-centrl-1").front(),
                 "--region: \"eu-centrl-1\" is no known Region; did you mean \"eu-central-1\"?"));
  CHECK(warnings("eu-central-1").empty());
  CHECK(warnings("").empty());
}

TEST_CASE("an error has the file, line and column, and the cause") {
  CHECK(contains(error_of(from_file("[agent\n")), "c.toml:1:7: "));
  CHECK(error_of(from_file(kRegion + "lisen = \"x\"\n")) ==
        "c.toml:3:1: unknown key \"lisen\" in [agent]; did you mean \"listen\"?");
  CHECK(error_of(from_file(kRegion + "colour = \"x\"\n")) ==
        "c.toml:3:1: unknown key \"colour\" in [agent]");
  CHECK(contains(error_of(from_file("[agnet]\nregion = \"eu-central-1\"\n")),
                 "unknown table [agnet]; did you mean \"agent\"?"));
  CHECK(contains(error_of(from_file("region = \"eu-central-1\"\n")),
                 "c.toml:1:1: key \"region\" must stand below [agent]"));
  CHECK(contains(error_of(from_file("agent = 1\n")), "agent must be a table"));
  CHECK(contains(error_of(from_file(kRegion + "[polisy]\n")),
                 "unknown table [polisy]; did you mean \"policy\"?"));
  CHECK(contains(error_of(from_file(kRegion + "[exporters.s4]\nbucket = \"x\"\n")),
                 "c.toml:3:12: unknown table [exporters.s4]; did you mean \"exporters.s3\"?"));
  CHECK(contains(error_of(from_file(kRegion + "[s3]\nbucket = \"x\"\n")),
                 "c.toml:3:2: unknown table [s3]; did you mean \"exporters.s3\"?"));
  CHECK(contains(error_of(from_file(kRegion + "[exporters]\nbucket = \"x\"\n")),
                 "c.toml:4:1: key \"bucket\" must stand below [exporters.s3]"));
  CHECK(contains(error_of(from_file(kRegion + "[exporters]\nkafka = \"x\"\n")),
                 "c.toml:4:1: unknown key \"exporters.kafka\""));
  CHECK(contains(error_of(from_file(kRegion + "[[exporters.s3]]\nbucket = \"x\"\n")),
                 "exporters.s3 must be a table: [exporters.s3]"));
  CHECK(contains(error_of(from_file(kRegion + "[aws]\nprofil = \"x\"\n")),
                 "c.toml:4:1: unknown key \"profil\" in [aws]; did you mean \"profile\"?"));
  CHECK(contains(error_of(from_file(kRegion + "queue_size = true\n")),
                 "c.toml:3:14: queue_size: must be a string such as"));
  CHECK(contains(error_of(from_file(kRegion + "account_id = 12345678901\n")),
                 "c.toml:3:14: account_id: must be a string in quotes"));
  CHECK(contains(error_of(from_file(kRegion + "region = \"eu-central-1\"\n")), "c.toml:3:"));
  ConfigSources sources = no_sources();
  sources.file = "/nonexistent/c.toml";
  CHECK(contains(error_of(load_agent_config(sources)), "/nonexistent/c.toml: No such file"));
  sources.file = "/";
  CHECK(contains(error_of(load_agent_config(sources)), "configuration /: Is a directory"));
}

TEST_CASE("values are checked") {
  const auto error_with = [](const std::string& line) {
    return error_of(from_file(kRegion + line));
  };
  CHECK(contains(error_of(from_file("[agent]\nregion = \"Frankfurt\"\n")),
                 "c.toml:2:10: region: \"Frankfurt\" is no Region"));
  CHECK(contains(error_with("durability = \"hard\""), "\"hard\" is none of \"group\", \"strict\""));
  CHECK(contains(error_with("on_overload = \"x\""), "\"block\", \"pass\""));
  CHECK(contains(error_with("on_storage_failure = \"x\""), "\"pass\", \"deny\""));
  CHECK(contains(error_with("log_level = \"loud\""), "\"trace\", \"debug\", \"info\""));
  CHECK(contains(error_with("max_request_size = \"10\""), "not within 1KiB and 1GiB"));
  CHECK(contains(error_with("queue_size = -1"), "does not begin with a whole number"));
  CHECK(contains(error_with("idle_timeout = \"0s\""), "not within 1ms and 24h"));
  CHECK(contains(error_with("connect_timeout = \"5\""), "has no unit"));
  CHECK(contains(error_with("account_id = \"123\""), "12 digits"));
  CHECK(contains(error_with("identity_arn = \"me\""), "is no ARN"));
  CHECK(contains(error_with("state_dir = \"\""), "it is empty"));
  CHECK(contains(error_with("ca_bundle = \"/nonexistent.pem\""),
                 "cannot read \"/nonexistent.pem\": No such file or directory: name a PEM file"));
  CHECK(contains(error_with("ca_bundle = \"/\""), "cannot read \"/\": it is no file"));
  const TemporaryDirectory directory;
  for (const char* text :
       {"", "junk", "-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n"}) {
    const std::string bundle = directory.write("junk.pem", text);
    CHECK(contains(error_with("ca_bundle = \"" + bundle + "\""), "there is no certificate in it"));
  }
  CHECK(contains(error_with("account_id = \"111111111111\"\n"
                            "identity_arn = \"arn:aws:iam::222222222222:role/x\""),
                 "c.toml:4:16: identity_arn: "));
}

TEST_CASE("addresses to listen on are loopback or a socket") {
  const auto listen = [](const std::string& value) {
    return load_agent_config(with_flags({{"region", "eu-central-1"}, {"listen", value}}));
  };
  CHECK(listen("localhost:1")->listen_host == "localhost");
  CHECK(listen("127.1.2.3:65535")->listen_port == 65535);
  CHECK(listen("unix:/run/x")->listen_host == "");
  CHECK(listen("unix:/run/x")->listen_socket == "/run/x");
  CHECK(contains(error_of(listen("0.0.0.0:4180")), "--listen: \"0.0.0.0:4180\" is not a loopback"));
  CHECK(contains(error_of(listen("[::]:4180")), "is not a loopback"));
  CHECK(contains(error_of(listen("[fe80::1%lo]:4180")), "is not a loopback"));
  CHECK(contains(error_of(listen("127.0.0.1.example.com:1")), "is no IP address: write one"));
  for (const char* wrong :
       {"4180", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:80", ":80", "127.0.0.1:8o"}) {
    INFO(wrong);
    CHECK(contains(error_of(listen(wrong)), "no address to listen on"));
  }
  CHECK(contains(error_of(listen("unix:relative")), "absolute path"));
  CHECK(contains(error_of(listen("unix:/" + std::string(107, 'x'))), "too long"));
  CHECK(contains(error_of(listen("127.0.0.1:1,127.0.0.1:2")), "one too many"));
  CHECK(contains(error_of(listen("unix:/a,unix:/b")), "one too many"));
  CHECK(contains(error_of(listen("")), "no address"));
}

TEST_CASE("an upstream is a scheme, a host and a port, of the source Region") {
  const auto upstream = [](const std::string& value) {
    return load_agent_config(with_flags({{"region", "eu-central-1"}, {"upstream", value}}));
  };
  CHECK(upstream("http://[::1]:8080")->upstream == "http://[::1]:8080");
  CHECK(upstream("https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com")->upstream ==
        "https://vpce-1.bedrock-runtime.eu-central-1.vpce.amazonaws.com");
  CHECK(contains(error_of(upstream("https://bedrock-runtime.us-east-1.amazonaws.com")),
                 "is an endpoint of us-east-1, but region is \"eu-central-1\""));
  for (const char* elsewhere : {"https://bedrock-runtime-fips.us-east-1.amazonaws.com",
                                "https://bedrock-runtime.us-east-1.api.aws",
                                "https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com:443",
                                "https://any-service.us-east-1.amazonaws.com"}) {
    INFO(elsewhere);
    CHECK(contains(error_of(upstream(elsewhere)), "is an endpoint of us-east-1"));
  }
  CHECK(contains(error_of(upstream("ftp://x")), "http:// or https://"));
  CHECK(contains(error_of(upstream("https://")), "no valid host"));
  CHECK(contains(error_of(upstream("https://x:0")), "no valid host"));
  CHECK(contains(error_of(upstream("https://x:y")), "no valid host"));
  CHECK(contains(error_of(upstream("https://x/model")), "more than a scheme"));
  CHECK(contains(error_of(upstream("https://x?y")), "more than a scheme"));
  const std::string error = error_of(upstream("https://user:hush@x"));
  CHECK(!contains(error, "hush"));
}

TEST_CASE("the store is the named one, or the directory's only one, or the configured one") {
  TemporaryDirectory directory;
  auto location = locate_store(no_sources(), "some/where.db");
  REQUIRE(location);
  CHECK(location->store_path == "some/where.db");
  CHECK(location->state_dir == "some");

  const ConfigSources in_directory = with_flags({{"state_dir", directory.path()}});
  location = locate_store(in_directory, std::nullopt);
  REQUIRE(!location);
  CHECK(contains(location.error().cause, "there is no store (*.db) in " + directory.path()));
  CHECK_FALSE(location.error().misconfigured);

  // What a removed store is to be written again from.
  directory.write("eu-central-1.db.restored", "");
  CHECK(locate_store(in_directory, std::nullopt)->store_path ==
        directory.path() + "/eu-central-1.db");

  directory.write("eu-central-1.db", "");
  directory.write("eu-central-1.db-wal", "");
  location = locate_store(in_directory, std::nullopt);
  REQUIRE(location);
  CHECK(location->store_path == directory.path() + "/eu-central-1.db");
  CHECK(location->state_dir == directory.path());

  directory.write("copy.db", "");
  CHECK(locate_store(in_directory, std::nullopt)->store_path ==
        directory.path() + "/eu-central-1.db");

  directory.write("eu-west-1.db", "");
  location = locate_store(in_directory, std::nullopt);
  REQUIRE(!location);
  CHECK(contains(location.error().cause, directory.path() + "/eu-central-1.db"));
  CHECK(contains(location.error().cause, directory.path() + "/eu-west-1.db"));
  CHECK(location.error().misconfigured);

  ConfigSources sources = in_directory;
  sources.environment = environment_of({{"AWS_REGION", "eu-west-1"}});
  CHECK(locate_store(sources, std::nullopt)->store_path == directory.path() + "/eu-west-1.db");

  sources = no_sources();
  sources.file = directory.write(
      "c.toml", "[agent]\nregion = \"eu-central-1\"\nstate_dir = \"" + directory.path() + "\"\n");
  CHECK(locate_store(sources, std::nullopt)->store_path == directory.path() + "/eu-central-1.db");
}

TEST_CASE("what a configuration says of other things does not keep readers from the store") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  const auto configure = [&](const std::string& more) {
    sources.file = directory.write("c.toml", "[agent]\nregion = \"eu-central-1\"\nstate_dir = \"" +
                                                 directory.path() + "\"\n" + more);
  };
  for (const char* wrong : {"log_level = \"loud\"\n", "ca_bundle = \"/nonexistent.pem\"\n",
                            "[policy]\nunknown = \"x\"\n", "[retention]\nmax_size = \"x\"\n",
                            "[exporters.s3]\nbucket = \"X\"\n"}) {
    INFO(wrong);
    configure(wrong);
    CHECK(!load_config(sources).problems.empty());
    REQUIRE(locate_store(sources, std::nullopt));
    CHECK(locate_store(sources, std::nullopt)->store_path == directory.path() + "/eu-central-1.db");
  }
  for (const char* wrong : {"regoin = \"x\"\n", "log_level = 3\n", "[agnet]\n",
                            "[policy]\ndenny = []\n", "[policy]\ndeny = 3\n", "[policy\n"}) {
    INFO(wrong);
    configure(wrong);
    const auto location = locate_store(sources, std::nullopt);
    REQUIRE(!location);
    CHECK(location.error().misconfigured);
    CHECK(contains(location.error().cause, "/c.toml:"));
    CHECK(location.error().cause.ends_with(
        " (to read, --state-dir DIR or --store FILE does without it)"));
  }
}

TEST_CASE("a directory that is named needs no configuration that can be used") {
  TemporaryDirectory directory;
  directory.write("eu-central-1.db", "");
  ConfigSources sources = with_flags({{"state_dir", directory.path()}});
  for (const char* wrong :
       {"[agent\n", "[agent]\nregion = \"Frankfurt\"\n", "[agent]\nregoin = \"x\"\n",
        "[agent]\nstate_dir = \"there\"\n", "[policy]\ndeny = 3\n"}) {
    INFO(wrong);
    sources.file = directory.write("c.toml", wrong);
    REQUIRE(locate_store(sources, std::nullopt));
    CHECK(locate_store(sources, std::nullopt)->store_path == directory.path() + "/eu-central-1.db");
  }
  sources.file = directory.path() + "/absent.toml";
  CHECK(locate_store(sources, std::nullopt));
  sources.flags["state_dir"] = "";
  CHECK(locate_store(sources, std::nullopt).error().cause ==
        "--state-dir: it is empty: name a directory that the agent may write to");
}

TEST_CASE("a path in a file is absolute, since whoever reads the file may stand anywhere") {
  CHECK(error_of(from_file("[agent]\nstate_dir = \"~/invlog\"\n")) ==
        "c.toml:2:13: state_dir: \"~/invlog\" is no absolute path: a ~ is not expanded here");
  for (const char* table : {"[agent]\n", "[aws]\n"}) {
    CHECK(error_of(from_file(std::string(table) + "ca_bundle = \"company.pem\"\n")) ==
          "c.toml:2:13: ca_bundle: \"company.pem\" is no absolute path: write it from / on");
  }
  CHECK(contains(error_of(from_file("[agent]\nstate_dir = 3\n")), "must be a string in quotes"));
  CHECK(from_file(kRegion + "ca_bundle = \"\"\n[aws]\nca_bundle = \"\"\n"));
}

TEST_CASE("a path of a flag may be relative, and becomes absolute") {
  const auto loaded =
      load_agent_config(with_flags({{"region", "eu-central-1"}, {"state_dir", "some/where/"}}));
  REQUIRE(loaded);
  CHECK(loaded->state_dir == std::filesystem::current_path().string() + "/some/where");
}

TEST_CASE("a directory that cannot be looked into is not said to have no store") {
  TemporaryDirectory directory;
  const std::string file = directory.write("file", "");
  auto location = locate_store(with_flags({{"state_dir", file}}), std::nullopt);
  REQUIRE(!location);
  CHECK(location.error().cause == "cannot look for a store in " + file + ": Not a directory");
  CHECK_FALSE(location.error().misconfigured);
  if (::geteuid() != 0) {
    WARN("only root can try what follows");
    return;
  }
  REQUIRE(::chmod(directory.path().c_str(), 0700) == 0);
  REQUIRE(::seteuid(4713) == 0);
  location = locate_store(with_flags({{"state_dir", directory.path()}}), std::nullopt);
  REQUIRE(::seteuid(0) == 0);
  REQUIRE(!location);
  CHECK(
      location.error().cause ==
      "cannot look for a store in " + directory.path() +
          ": Permission denied; run this as the agent's user, \"root\" (sudo -u root invlog ...)");
  CHECK_FALSE(location.error().misconfigured);
}

TEST_CASE("what the agent says of itself is found by way of a link to its store, too") {
  TemporaryDirectory directory, links;
  const std::string store = directory.write("eu-central-1.db", "");
  const std::string link = links.path() + "/eu-central-1.db";
  REQUIRE(::symlink(store.c_str(), link.c_str()) == 0);
  const ConfigSources by_directory = with_flags({{"state_dir", links.path()}});
  CHECK(locate_store(no_sources(), link)->state_dir == links.path());
  directory.write("status.json", "{}");
  const auto real = std::filesystem::canonical(directory.path());
  CHECK(locate_store(no_sources(), link)->state_dir == real);
  CHECK(locate_store(no_sources(), link)->store_path == link);
  CHECK(locate_store(by_directory, std::nullopt)->state_dir == real);
  links.write("status.json", "{}");
  CHECK(locate_store(no_sources(), link)->state_dir == links.path());
  CHECK(locate_store(by_directory, std::nullopt)->state_dir == links.path());
}

TEST_CASE("a store at hand gives the Region, and no setting may contradict it") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.store_region = "eu-central-1";
  CHECK(load_agent_config(sources)->region == "eu-central-1");
  sources.environment = environment_of({{"AWS_REGION", "eu-west-1"}});
  CHECK(load_agent_config(sources)->region == "eu-central-1");
  sources.file = directory.write("c.toml", "[agent]\nregion = \"eu-west-1\"\n");
  CHECK(contains(error_of(load_agent_config(sources)),
                 "c.toml:2:10: region: \"eu-west-1\", but the store is pinned to Region "
                 "\"eu-central-1\""));
}

TEST_CASE("a configuration with exporters says where the store is") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("c.toml", "[agent]\nregion = \"eu-central-1\"\nstate_dir = \"" +
                                               directory.path() +
                                               "\"\n[exporters.s3]\nbucket = \"records-eu\"\n"
                                               "endpoint = \"http://127.0.0.1:9000\"\n");
  CHECK(locate_store(sources, std::nullopt)->store_path == directory.path() + "/eu-central-1.db");
}

TEST_CASE("conf.d beside the file is laid over it, in the order of names, key by key") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("invlog.toml", kRegion +
                                                    "listen = [\"127.0.0.1:1\", \"unix:/a\"]\n"
                                                    "log_level = \"error\"\n"
                                                    "[policy]\ndeny = [\"global\", \"unknown\"]\n");
  directory.write("conf.d/20.toml", "[agent]\nlisten = \"127.0.0.1:3\"\n");
  directory.write("conf.d/10.toml",
                  "[agent]\nlisten = \"127.0.0.1:2\"\nlog_level = \"debug\"\n"
                  "[policy]\ndeny = [\"geo:us\"]\n");
  directory.write("conf.d/README", "[agent\n");
  directory.write("conf.d/30.toml.dpkg-dist", "[agent\n");
  directory.write("conf.d/.40.toml", "[agent\n");
  LoadedConfig loaded = load_config(sources);
  REQUIRE(loaded.problems == Problems());
  CHECK(loaded.files == std::vector<std::string>{*sources.file,
                                                 directory.path() + "/conf.d/10.toml",
                                                 directory.path() + "/conf.d/20.toml"});
  CHECK(loaded.configuration.listen_port == 3);
  CHECK(loaded.configuration.listen_socket.empty());
  CHECK(loaded.configuration.log_level == "debug");
  REQUIRE(loaded.configuration.policy.deny.size() == 1);
  CHECK(loaded.configuration.policy.deny[0].text == "deny = \"geo:us\"");

  // Also where the default file itself is missing.
  sources.file.reset();
  sources.default_file = directory.path() + "/none.toml";
  sources.environment = environment_of({{"AWS_REGION", "eu-west-1"}});
  loaded = load_config(sources);
  CHECK(loaded.problems == Problems());
  CHECK(loaded.files.size() == 2);
  CHECK(loaded.configuration.listen_port == 3);
}

TEST_CASE("a conf.d that cannot be read is an error, whatever it is") {
  const TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write("c.toml", kRegion);
  CHECK(load_config(sources).problems.empty());
  const std::string path = directory.path() + "/conf.d";
  std::filesystem::create_directory_symlink(directory.path() + "/gone", path);
  Problems problems = load_config(sources).problems;
  REQUIRE(problems.size() == 1);
  CHECK(contains(problems[0], "cannot read the configurations in " + path + ": "));
  std::filesystem::remove(path);
  directory.write("conf.d", "");
  problems = load_config(sources).problems;
  REQUIRE(problems.size() == 1);
  CHECK(contains(problems[0], "cannot read the configurations in " + path + ": "));
}

TEST_CASE("every problem is found, each in its file") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file =
      directory.write("invlog.toml", kRegion +
                                         "zzz = 1\nlisten = 1\nlog_level = \"loud\"\n"
                                         "[exporters.s3]\nbucket = \"records-eu\"\n"
                                         "encryption = \"aws:kms\"\nkms_key_id = \"alias/x\"\n"
                                         "[exporters.cloudwatch_logs]\nrules = []\n");
  const std::string first = directory.write("conf.d/1.toml", "[exporters.s3]\nbatch_age = \"1\"\n");
  const std::string second = directory.write("conf.d/2.toml", "[agent]\nregion = \"eu-central-1\n");
  const LoadedConfig loaded = load_config(sources);
  const std::string file = *sources.file;
  REQUIRE(loaded.problems.size() == 6);
  CHECK(loaded.problems[0] == file + ":3:1: unknown key \"zzz\" in [agent]");
  CHECK(contains(loaded.problems[1], file + ":4:10: listen: must be a string"));
  CHECK(loaded.problems[2] == file +
                                  ":11:1: unknown key \"rules\" in [exporters.cloudwatch_logs]; it "
                                  "is a key of [policy]");
  CHECK(contains(loaded.problems[3], second + ":2:"));
  CHECK(contains(loaded.problems[4], file + ":5:13: log_level: \"loud\" is none of"));
  CHECK(contains(loaded.problems[5], first + ":2:13: batch_age: "));
  CHECK(loaded.files == std::vector<std::string>{file, first});
}

TEST_CASE("of a list every wrong element is found, once") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write(
      "invlog.toml", kRegion +
                         "[policy]\nrules = [\"deny globall\", \"deny global\", \"forbid global\", "
                         "\"deny globall\"]\nallow = [\"geo:\", \"in-region\", \"nowhere\"]\n");
  const Problems problems = load_config(sources).problems;
  REQUIRE(problems.size() == 4);
  CHECK(contains(problems[0], ":5:9: allow: \"geo:\" names nothing behind the colon"));
  CHECK(contains(problems[1], ":5:9: allow: \"nowhere\" is no term"));
  CHECK(contains(problems[2], ":4:9: rules: \"deny globall\": "));
  CHECK(contains(problems[3], ":4:9: rules: \"forbid global\": "));
}

TEST_CASE("all that does not go together is found, also beside a wrong value") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.file = directory.write(
      "invlog.toml", kRegion +
                         "upstream = \"https://bedrock-runtime.us-east-1.amazonaws.com\"\n"
                         "log_level = \"loud\"\n"
                         "[aws]\nsts_endpoint = \"https://sts.us-east-1.amazonaws.com\"\n"
                         "bedrock_endpoint = \"https://bedrock.us-east-1.amazonaws.com\"\n"
                         "cloudtrail_endpoint = \"https://cloudtrail.us-east-1.amazonaws.com\"\n"
                         "[exporters.s3]\nendpoint = \"https://s3.us-east-1.amazonaws.com\"\n"
                         "kms_key_id = \"alias/x\"\nbatch_age = \"1\"\n"
                         "[exporters.cloudwatch_logs]\ncreate = false\nretention_days = 3\n"
                         "[proxy]\nhosts = [\"bedrock-runtime.us-east-1.amazonaws.com\"]\n"
                         "connect_to = \"127.0.0.1:4181\"\n");
  Problems problems = load_config(sources).problems;
  const auto count = [&problems](const char* text) {
    return std::count_if(problems.begin(), problems.end(),
                         [text](const std::string& problem) { return contains(problem, text); });
  };
  for (const char* text : {"log_level", "batch_age", "upstream", "sts_endpoint", "bedrock_endpoint",
                           "cloudtrail_endpoint", "bucket: it is missing", ": endpoint",
                           "kms_key_id", "log_group", "retention_days", "hosts", "connect_to"}) {
    INFO(text);
    CHECK(count(text) == 1);
  }
  CHECK(problems.size() == 13);

  // What is wrong only by way of another wrong value is not.
  sources.file = directory.write("invlog.toml",
                                 kRegion +
                                     "listen = \"nowhere\"\n[admin]\nlisten = \"127.0.0.1:4180\"\n"
                                     "[exporters.s3]\nbucket = \"A\"\nencryption = \"rot13\"\n"
                                     "kms_key_id = \"alias/x\"\n");
  problems = load_config(sources).problems;
  CHECK(problems.size() == 3);
  CHECK(count("listen: ") == 1);
  CHECK(count("bucket: ") == 1);
  CHECK(count("encryption: ") == 1);
}

TEST_CASE("two values that do not go together are both shown, whichever files they are in") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  const std::string s3 = "[exporters.s3]\nbucket = \"records-eu\"\n";
  sources.file = directory.write("invlog.toml", kRegion + s3 +
                                                    "encryption = \"aws:kms\"\n"
                                                    "kms_key_id = \"alias/invlog\"\n");
  const std::string more =
      directory.write("conf.d/1.toml", "[exporters.s3]\nencryption = \"AES256\"\n");
  CHECK(load_config(sources).problems ==
        Problems{*sources.file +
                 ":6:14: kms_key_id: it is not used with \"AES256\": set "
                 "encryption = \"aws:kms\" or \"aws:kms:dsse\" (encryption comes "
                 "from " +
                 more + ":2:14)"});
  directory.write("conf.d/1.toml", "");
  sources.flags = {{"region", "eu-west-1"}};
  sources.file = directory.write("invlog.toml", s3 + "endpoint = "
                                                     "\"https://s3.eu-central-1.amazonaws.com\"\n");
  REQUIRE(load_config(sources).problems.size() == 1);
  CHECK(contains(load_config(sources).problems[0], "(region comes from flag --region)"));
}

TEST_CASE("without a Region everything else can be checked") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.region_optional = true;
  sources.file = directory.write("c.toml", "[exporters.s3]\nbucket = \"records-eu\"\n");
  CHECK(load_config(sources).problems == Problems());
  sources.file = directory.write("c.toml", "[exporters.s3]\nbucket = \"R\"\n");
  CHECK(load_config(sources).problems.size() == 1);
}

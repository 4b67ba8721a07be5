#include "agent/config/config_reloader.h"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::config;
using namespace invlog::tests;
using Keys = std::vector<std::string>;

namespace {

// A running agent's configuration, and the file that somebody edits.
struct EditedFile {
  explicit EditedFile(const std::string& text) { write(text); }
  void write(const std::string& text) { sources.file = directory.write("invlog.toml", text); }
  ConfigReloader started() const {
    LoadedConfig loaded = load_config(sources);
    REQUIRE(loaded.problems == Problems());
    return {sources, std::move(loaded)};
  }

  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
};

}  // namespace

TEST_CASE("a reload takes what can change and names what needs a restart") {
  EditedFile file(kRegion + "[retention]\nmax_age = \"7d\"\n");
  ConfigReloader reloader = file.started();
  file.write(kRegion +
             "log_level = \"debug\"\non_overload = \"pass\"\nlisten = \"127.0.0.1:1\"\n"
             "queue_size = \"8MiB\"\n[policy]\ndeny = [\"global\"]\n[privacy]\nimage = false\n"
             "[exporters.s3]\nbucket = \"records-eu\"\n[aws]\nprofile = \"x\"\n");
  const ConfigChange change = reloader.reload();
  REQUIRE(change.problems == Problems());
  CHECK(change.changed == Keys{"agent.on_overload", "agent.log_level", "[exporters.s3]",
                               "retention.max_age", "[policy]", "privacy.image"});
  CHECK(change.needs_restart == Keys{"agent.listen", "agent.queue_size", "aws.profile"});
  const AgentConfig& now = reloader.configuration();
  CHECK(now.log_level == "debug");
  CHECK(now.on_overload == OnOverload::pass);
  CHECK(now.policy.deny.size() == 1);
  CHECK(!now.privacy.image);
  CHECK(now.retention.max_age.count() == 0);
  CHECK(now.exporters.s3->bucket == "records-eu");
  CHECK(now.exporters.s3->region == "eu-central-1");
  CHECK(now.listen_port == 4180);
  CHECK(now.queue_bytes == 4u << 20);
  CHECK(now.aws.profile.empty());

  // The next one says again what still waits for a restart, and nothing else.
  const ConfigChange again = reloader.reload();
  CHECK(again.changed == Keys());
  CHECK(again.needs_restart == change.needs_restart);
  file.write(kRegion + "[policy]\ndeny = [\"unknown\"]\n");
  CHECK(reloader.reload().changed == Keys{"agent.on_overload", "agent.log_level", "[exporters.s3]",
                                          "policy.deny", "privacy.image"});
  CHECK(reloader.configuration().log_level == "info");
}

TEST_CASE(
    "a reload that changes nothing says so, and a default that is written down is no change") {
  EditedFile file(kRegion);
  ConfigReloader reloader = file.started();
  file.write(kRegion + "log_level = \"info\"\n[retention]\nkeep_undelivered = true\n");
  const ConfigChange change = reloader.reload();
  CHECK(change.problems == Problems());
  CHECK(change.changed == Keys());
  CHECK(change.needs_restart == Keys());
}

TEST_CASE("a default that is written out is no change") {
  EditedFile file(kRegion);
  ConfigReloader reloader = file.started();
  file.write(kRegion +
             "allow_users = []\nallow_groups = []\nallowed_hosts = []\nqueue_size = 4194304\n"
             "[proxy]\nhosts = []\nconnect_to = \"\"\n[aws]\nprofile = \"\"\n"
             "[privacy]\nsample_bodies = 1.0\n");
  const ConfigChange change = reloader.reload();
  CHECK(change.problems == Problems());
  CHECK(change.changed == Keys());
  CHECK(change.needs_restart == Keys());
}

TEST_CASE("a value that becomes empty is a change") {
  EditedFile file(kRegion + "[proxy]\nlisten = \"127.0.0.1:1\"\nconnect_to = \"bedrock.test\"\n");
  ConfigReloader reloader = file.started();
  file.write(kRegion + "[proxy]\nlisten = \"\"\nconnect_to = \"\"\n");
  CHECK(reloader.reload().needs_restart == Keys{"proxy.listen", "proxy.connect_to"});
}

TEST_CASE("a bad file changes nothing, whatever is good in it") {
  EditedFile file(kRegion + "[policy]\ndeny = [\"global\"]\n");
  ConfigReloader reloader = file.started();
  const AgentConfig before = reloader.configuration();
  file.write(kRegion + "log_level = \"debug\"\n[policy]\ndeny = [\"golbal\"]\n");
  ConfigChange change = reloader.reload();
  REQUIRE(change.problems.size() == 1);
  CHECK(contains(change.problems.front(), "invlog.toml:5:8: deny: \"golbal\" is no term"));
  CHECK(reloader.configuration() == before);
  std::filesystem::remove(*file.sources.file);
  change = reloader.reload();
  CHECK(contains(change.problems.front(), "No such file"));
  CHECK(reloader.configuration() == before);
  file.write(kRegion);
  change = reloader.reload();
  CHECK(change.changed == Keys{"[policy]"});
  CHECK(change.removed == Keys{"[policy]"});
  CHECK(!reloader.configuration().policy.given);
}

TEST_CASE("a file that is found empty is refused, but where it was so before") {
  EditedFile file(kRegion + "[policy]\ndeny = [\"global\"]\n[privacy]\ntext = false\n");
  ConfigReloader reloader = file.started();
  const AgentConfig before = reloader.configuration();
  for (const char* text : {"", "\n# nothing yet\n"}) {
    file.write(text);
    const ConfigChange change = reloader.reload();
    REQUIRE(change.problems == Problems{"the configuration " + *file.sources.file + " is empty"});
    CHECK(reloader.configuration() == before);
  }
  file.write(kRegion);
  CHECK(reloader.reload().removed == Keys{"[policy]", "[privacy]"});

  file.write("");
  file.sources.flags = {{"region", "eu-central-1"}};
  ConfigReloader of_flags = file.started();
  CHECK(of_flags.reload().problems == Problems());
}

TEST_CASE("a pipe is read at the start, and refused by a reload") {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const std::string text = kRegion + "[policy]\ndeny = [\"global\"]\n";
  REQUIRE(::write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  ::close(ends[1]);
  ConfigSources sources = no_sources();
  sources.file = "/dev/fd/" + std::to_string(ends[0]);
  LoadedConfig loaded = load_config(sources);
  REQUIRE(loaded.problems == Problems());
  ConfigReloader reloader(sources, std::move(loaded));
  const ConfigChange change = reloader.reload();
  REQUIRE(change.problems.size() == 1);
  CHECK(contains(change.problems[0], *sources.file + ": it is no regular file"));
  CHECK(reloader.configuration().policy.deny.size() == 1);

  // Whoever reads it a second time at the start does not take the defaults.
  const Problems problems = load_config(sources).problems;
  ::close(ends[0]);
  REQUIRE(problems.size() == 1);
  CHECK(contains(problems[0], "can be read only once"));
}

TEST_CASE("a named pipe among the files is not waited for") {
  EditedFile file(kRegion);
  ConfigReloader reloader = file.started();
  const std::string folder = file.directory.path() + "/conf.d";
  std::filesystem::create_directory(folder);
  REQUIRE(::mkfifo((folder + "/1.toml").c_str(), 0600) == 0);
  for (const Problems& problems :
       {reloader.reload().problems, load_config(file.sources).problems}) {
    REQUIRE(problems.size() == 1);
    CHECK(contains(problems[0], folder + "/1.toml: it is no regular file"));
  }
  std::filesystem::remove(folder + "/1.toml");
  std::filesystem::remove(*file.sources.file);
  REQUIRE(::mkfifo(file.sources.file->c_str(), 0600) == 0);
  const ConfigChange change = reloader.reload();
  REQUIRE(change.problems.size() == 1);
  CHECK(contains(change.problems[0], *file.sources.file + ": it is no regular file"));
}

TEST_CASE("what would fit only after a restart is refused whole") {
  EditedFile file(kRegion);
  ConfigReloader reloader = file.started();
  const AgentConfig before = reloader.configuration();
  file.write(
      "[agent]\nregion = \"eu-west-1\"\nlog_level = \"debug\"\n[exporters.s3]\n"
      "bucket = \"records-eu\"\nendpoint = \"https://s3.eu-west-1.amazonaws.com\"\n");
  const ConfigChange change = reloader.reload();
  REQUIRE(change.problems.size() == 1);
  CHECK(contains(change.problems.front(), "invlog.toml:6:12: endpoint: "));
  CHECK(contains(change.problems.front(),
                 "only after a restart, which agent.region, agent.upstream needs"));
  CHECK(reloader.configuration() == before);
}

TEST_CASE("flags still win, and the instance is not asked for its Region again") {
  EditedFile file("[retention]\nmax_age = \"7d\"\n");
  int asked = 0;
  file.sources.flags = {{"log_level", "error"}};
  file.sources.instance_region = [&asked] {
    ++asked;
    return std::string("eu-south-2");
  };
  ConfigReloader reloader = file.started();
  CHECK(asked == 1);
  file.write("[agent]\nlog_level = \"debug\"\n");
  const ConfigChange change = reloader.reload();
  CHECK(change.problems == Problems());
  CHECK(change.changed == Keys{"retention.max_age"});
  CHECK(change.needs_restart == Keys());
  CHECK(reloader.configuration().region == "eu-south-2");
  CHECK(asked == 1);
}

TEST_CASE("a default file that was there at the start must be there at a reload") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.default_file =
      directory.write("invlog.toml", kRegion + "[policy]\ndeny = [\"global\"]\n");
  ConfigReloader reloader(sources, load_config(sources));
  std::filesystem::rename(sources.default_file, sources.default_file + ".old");
  const ConfigChange change = reloader.reload();
  REQUIRE(change.problems.size() == 1);
  CHECK(contains(change.problems[0], "No such file"));
  CHECK(reloader.configuration().policy.deny.size() == 1);
}

TEST_CASE("a default file that cannot be reached is not taken for none") {
  TemporaryDirectory directory;
  ConfigSources sources = no_sources();
  sources.flags = {{"region", "eu-central-1"}};
  sources.default_file = directory.path() + "/invlog.toml";
  CHECK(load_config(sources).problems == Problems());
  std::filesystem::create_symlink(directory.path() + "/gone/invlog.toml", sources.default_file);
  const Problems problems = load_config(sources).problems;
  REQUIRE(problems.size() == 1);
  CHECK(contains(problems[0], "cannot read the configuration " + sources.default_file));
}

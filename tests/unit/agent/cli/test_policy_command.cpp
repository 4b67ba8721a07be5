#include "agent/cli/policy_command.h"

#include <filesystem>
#include <sstream>

#include "agent/residency/profile_answer.h"
#include "agent/residency/profile_store.h"
#include "tests/catch.h"
#include "tests/unit/agent/cli/command_answer.h"
#include "tests/unit/agent/cli/example_store.h"
#include "tests/unit/agent/config/config_text.h"
#include "tests/unit/agent/residency/profile_texts.h"

using namespace invlog::cli;
using namespace invlog::tests;

namespace {

// An application profile that only the store knows, and a policy that denies where it leads.
constexpr const char* kApplication = "1arbu5hu2sjr";

struct PolicyScene {
  PolicyScene() { configure(kRegion); }

  void configure(const std::string& agent) {
    options.config_file = settings.write("c.toml", agent + "state_dir = \"" + state() +
                                                       "\"\n[policy]\nallow_destinations = "
                                                       "[\"eu-central-1\"]\n");
  }
  std::string state() const { return store.directory().path(); }
  void learn() const {
    const auto profile = invlog::residency::parse_profile(
        profile_json(kApplication, "a.b", {"eu-central-1", "us-east-1"}, true),
        {"eu-central-1", 7});
    REQUIRE(profile);
    const auto opened = invlog::residency::ProfileStore::open(store.path());
    REQUIRE(opened);
    (*opened)->save({*profile});
  }
  CommandAnswer test(const std::string& region = "") const {
    PolicyTestOptions test;
    test.store = options;
    test.environment =
        environment_of({{"AWS_REGION", region}, {"AWS_EC2_METADATA_DISABLED", "true"}});
    test.model = kApplication;
    std::ostringstream out, err;
    const int exit_code = run_policy_test(test, out, err);
    return {exit_code, out.str(), err.str()};
  }
  CommandAnswer show() const {
    PolicyShowOptions show;
    show.store = options;
    show.environment = environment_of({{"AWS_EC2_METADATA_DISABLED", "true"}});
    std::ostringstream out, err;
    const int exit_code = run_policy_show(show, out, err);
    return {exit_code, out.str(), err.str()};
  }

  const ExampleStore store;
  const TemporaryDirectory settings;
  StoreOptions options;
};

}  // namespace

TEST_CASE("policy judges by the profiles that the store knows, and needs no store") {
  PolicyScene scene;
  scene.learn();
  const CommandAnswer denied = scene.test();
  CHECK(denied.exit_code == 1);
  CHECK(denied.err.empty());
  CHECK_THAT(denied.out, contains_text("deny"));
  CHECK(scene.show().exit_code == 0);

  // No agent has run yet: no store, and no state directory.
  for (const std::string& gone : {scene.store.path(), scene.state()}) {
    std::filesystem::remove_all(gone);
    const CommandAnswer flagged = scene.test();
    CHECK(flagged.exit_code == 0);
    CHECK(flagged.err.empty());
    CHECK_THAT(flagged.out, contains_text("flag"));
    CHECK(scene.show().exit_code == 0);
  }
}

TEST_CASE("policy says nothing without a store that is there and cannot be read") {
  PolicyScene scene;
  scene.learn();
  SECTION("by the configured Region") {}
  SECTION("as the only one in its directory") {
    scene.configure("[agent]\n");
  }
  SECTION("as a link that leads nowhere") {
    std::filesystem::rename(scene.store.path(), scene.settings.path() + "/moved.db");
    std::filesystem::create_symlink(scene.settings.path() + "/gone.db", scene.store.path());
  }
  if (!std::filesystem::is_symlink(scene.store.path())) {
    scene.store.directory().write("eu-central-1.db", std::string(8192, 'x'));
  }
  for (const CommandAnswer& answer : {scene.test(), scene.show()}) {
    CHECK(answer.exit_code == 1);
    CHECK(answer.out.empty());
    CHECK_THAT(answer.err, contains_text("invlog: store " + scene.store.path() + ": "));
  }
}

TEST_CASE("policy says nothing without the store that was named, or that is one of several") {
  PolicyScene scene;
  scene.options.store = scene.settings.path() + "/none.db";
  CHECK(scene.test().exit_code == 1);
  CHECK_THAT(scene.test().err, contains_text(*scene.options.store));
  scene.options.store.reset();
  std::filesystem::rename(scene.store.path(), scene.state() + "/a.db");
  std::filesystem::copy_file(scene.state() + "/a.db", scene.state() + "/b.db");
  scene.configure("[agent]\nregion_mismatch = \"allow\"\n");
  const CommandAnswer none = scene.test();
  CHECK(none.exit_code == 2);
  CHECK_THAT(none.err, contains_text("no Region"));
  const CommandAnswer several = scene.test("eu-central-1");
  CHECK(several.exit_code == 2);
  CHECK(several.out.empty());
  CHECK_THAT(several.err, contains_text("choose one with --store FILE"));
}

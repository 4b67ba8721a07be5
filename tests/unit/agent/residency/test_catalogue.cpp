#include "agent/residency/catalogue.h"

#include <algorithm>

#include "agent/residency/classification.h"
#include "agent/residency/profile_answer.h"
#include "agent/residency/profile_store.h"
#include "storage/statement.h"
#include "tests/catch.h"
#include "tests/unit/agent/residency/profile_texts.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::residency;
using namespace invlog::tests;

namespace {

constexpr const char* kNova2 = "eu.amazon.nova-2-lite-v1:0";
const std::vector<std::string> kEu6 = {"eu-central-1", "eu-north-1", "eu-south-1",
                                       "eu-south-2",   "eu-west-1",  "eu-west-3"};

Profile said(const std::string& id, const std::vector<std::string>& regions,
             const std::string& model = "amazon.nova-2-lite-v1:0", bool application = false) {
  const auto profile =
      parse_profile(profile_json(id, model, regions, application), {"eu-central-1", 7});
  REQUIRE(profile);
  return *profile;
}

Profile application(const std::string& id, const std::vector<std::string>& regions,
                    const std::string& model = "amazon.nova-2-lite-v1:0") {
  return said(id, regions, model, true);
}

std::string destinations(const Catalogue& catalogue, const std::string& id) {
  const auto profile = catalogue.find(id);
  return profile ? destinations_text(*profile) : "-";
}

std::vector<std::string> all_unknown(Catalogue& catalogue) {
  std::vector<std::string> ids;
  while (const auto id = catalogue.next_unknown()) {
    ids.push_back(*id);
  }
  return ids;
}

struct CatalogueStore {
  CatalogueStore() { invlog::storage::Writer(store.options()).stop(); }

  std::vector<ProfileChange> save(const std::vector<Profile>& profiles) const {
    const auto opened = ProfileStore::open(store.path(), [] { return std::int64_t{1234}; });
    REQUIRE(opened);
    return (*opened)->save(profiles);
  }
  std::vector<Profile> load() const {
    const auto opened = ProfileStore::open(store.path());
    REQUIRE(opened);
    return (*opened)->load();
  }
  std::string alarms() const {
    return store.query(
        "SELECT group_concat(at || ' ' || details, ';') FROM event WHERE kind = "
        "'profile-changed'");
  }

  const invlog::storage::TemporaryStore store;
};

}  // namespace

TEST_CASE("the service's word stands over the built-in table", "[residency]") {
  Catalogue catalogue("eu-central-1");
  const FindProfile find = [&catalogue](std::string_view id) { return catalogue.find(id); };
  CHECK(classify(kNova2, "eu-central-1", find).source == "the catalogue (built in)");
  catalogue.learn({said(kNova2, {"eu-central-1", "eu-west-1"})});
  CHECK(destinations(catalogue, kNova2) == "eu-central-1,eu-west-1");
  CHECK(classify(kNova2, "eu-central-1", find).source == "the catalogue");
  // What it does not mention stays.
  catalogue.learn({said("eu.a.b", {"eu-west-3"}, "a.b")});
  CHECK(destinations(catalogue, kNova2) == "eu-central-1,eu-west-1");
  CHECK(destinations(catalogue, "eu.amazon.nova-lite-v1:0") ==
        "eu-central-1,eu-north-1,eu-west-1,eu-west-3");
  const auto all = catalogue.profiles();
  CHECK(std::is_sorted(all.begin(), all.end(),
                       [](const auto& a, const auto& b) { return a->id < b->id; }));
  CHECK(std::count_if(all.begin(), all.end(), [](const auto& profile) {
          return profile->origin == Profile::Origin::service;
        }) == 2);
}

TEST_CASE("a profile that was found stays as it was", "[residency]") {
  Catalogue catalogue("eu-central-1");
  const auto before = catalogue.find(kNova2);
  catalogue.learn({said(kNova2, {"eu-central-1", "eu-west-1"})});
  CHECK(before->destinations == kEu6);
}

TEST_CASE("an application profile is what it wraps", "[residency]") {
  Catalogue catalogue("eu-central-1");
  const auto learned = catalogue.learn(
      {application("overeu", kEu6), application("inregion", {"eu-central-1"}),
       application("overglobal", {"", "eu-central-1"}), application("other", {"eu-west-1"}),
       application("overnew", {"eu-central-1", "eu-west-1"}, "a.b"),
       said("eu.a.b", {"eu-west-1", "eu-central-1"}, "a.b")});
  const auto of = [&](std::string_view id) {
    const auto profile = catalogue.find(id);
    return std::string(to_string(profile->scope)) + " " + profile->geography + " " + profile->wraps;
  };
  CHECK(of("overeu") == "geographic eu eu.amazon.nova-2-lite-v1:0");
  CHECK(of("inregion") == "in-region  ");
  CHECK(of("overglobal") == "global global global.amazon.nova-2-lite-v1:0");
  CHECK(of("other") == "geographic  ");
  CHECK(of("overnew") == "geographic eu eu.a.b");
  CHECK(learned.size() == 6);
  CHECK(learned.front().wraps == kNova2);
  // Two that reach as far: nobody can tell which.
  catalogue.learn({said("xx.a.b", {"eu-west-1", "eu-central-1"}, "a.b"),
                   application("overnew", {"eu-central-1", "eu-west-1"}, "a.b")});
  CHECK(of("overnew") == "geographic  ");
}

TEST_CASE("profiles that nobody knows are noted once, and only as long as somebody asks",
          "[residency]") {
  Catalogue catalogue("eu-central-1");
  catalogue.find("1arbu5hu2sjr");
  CHECK_FALSE(catalogue.next_unknown());
  int woken = 0;
  catalogue.set_unknown_listener([&woken] { ++woken; });
  for (int i = 0; i < 3; ++i) {
    CHECK(!catalogue.find("1arbu5hu2sjr"));
    CHECK(!catalogue.find("eu.amazon.nova-9-v1:0"));
    CHECK(!catalogue.find("amazon.nova-9-v1:0"));
    CHECK(!catalogue.find("../../secret"));
    CHECK(!catalogue.find(std::string(1000, 'a')));
    CHECK(catalogue.find(kNova2));
  }
  CHECK(woken == 2);
  CHECK(catalogue.has_unknown());
  CHECK(all_unknown(catalogue) ==
        std::vector<std::string>{"eu.amazon.nova-9-v1:0", "1arbu5hu2sjr"});
  CHECK_FALSE(catalogue.has_unknown());
  catalogue.find("1arbu5hu2sjr");
  CHECK(woken == 2);
  catalogue.forget_unknown("1arbu5hu2sjr");
  catalogue.find("1arbu5hu2sjr");
  catalogue.find("eu.amazon.nova-9-v1:0");
  CHECK(woken == 3);
  CHECK(all_unknown(catalogue) == std::vector<std::string>{"1arbu5hu2sjr"});
}

TEST_CASE("ids that were made up do not keep a profile from being asked for", "[residency]") {
  Catalogue catalogue("eu-central-1");
  catalogue.set_unknown_listener([] {});
  const std::string arn =
      "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/1arbu5hu2sjr";
  const FindProfile find = [&catalogue](std::string_view id) { return catalogue.find(id); };
  catalogue.find("first");
  catalogue.find("waiting");
  classify(arn, "eu-central-1", find);
  for (int i = 0; i < 255; ++i) {
    catalogue.find("made-up-" + std::to_string(i));
    catalogue.find("waiting");
    catalogue.find("1arbu5hu2sjr");
  }
  // What was named as an application profile, then what was named last; the oldest has gone.
  const auto asked = all_unknown(catalogue);
  REQUIRE(asked.size() == 256);
  CHECK(asked[0] == "1arbu5hu2sjr");
  CHECK(asked[1] == "waiting");
  CHECK(asked[2] == "made-up-254");
  CHECK(asked.back() == "made-up-1");
  // What waits for its answer gives way, too.
  catalogue.find("new");
  CHECK(catalogue.next_unknown() == "new");
}

TEST_CASE("what the service said comes back from the store as it was", "[residency]") {
  const CatalogueStore store;
  Catalogue catalogue("eu-central-1");
  auto learned = catalogue.learn({application("overeu", kEu6), said(kNova2, kEu6),
                                  said("global.a.b", {"", "eu-central-1"}, "a.b"),
                                  application("inregion", {"eu-central-1"})});
  const auto changes = store.save(learned);
  CHECK(changes.size() == 2);  // the built-in table had the system profiles
  std::sort(learned.begin(), learned.end(),
            [](const Profile& a, const Profile& b) { return a.id < b.id; });
  CHECK(store.load() == learned);
  CHECK(store.save(learned).empty());
  CHECK(store.alarms().empty());
  // A row that nobody can have written is left out, and the others are not.
  store.store.tamper("UPDATE inference_profile SET scope = 'everywhere' WHERE id = 'inregion'");
  CHECK(store.load().size() == 3);
}

TEST_CASE("a geographic profile whose destinations change is an alarm", "[residency]") {
  const CatalogueStore store;
  store.save({said("eu.a.b", {"eu-central-1", "eu-west-1"}, "a.b"),
              said("global.a.b", {"", "eu-central-1"}, "a.b"),
              application("overeu", {"eu-central-1", "eu-west-1"}, "a.b")});
  CHECK(store.alarms().empty());
  const auto changes = store.save({said("eu.a.b", {"eu-central-1", "us-east-1"}, "a.b"),
                                   said("global.a.b", {"eu-central-1", "eu-west-1"}, "a.b"),
                                   application("overeu", {"eu-central-1"}, "a.b"),
                                   said("eu.c.d", {"eu-west-1"}, "c.d")});
  REQUIRE(changes.size() == 4);
  CHECK(changes[0].alarm);
  CHECK(!changes[0].is_new);
  CHECK(changes[0].before == "eu-central-1,eu-west-1");
  CHECK(changes[0].after == "eu-central-1,us-east-1");
  CHECK(!changes[1].alarm);
  CHECK(changes[1].before == "*");
  CHECK(!changes[2].alarm);
  CHECK(changes[3].is_new);
  CHECK(store.alarms() == R"(1234 {"profile":"eu.a.b","before":"eu-central-1,eu-west-1",)"
                          R"("after":"eu-central-1,us-east-1","known_from":"service"})");
}

TEST_CASE("a service that contradicts the built-in table is an alarm, once", "[residency]") {
  const CatalogueStore store;
  for (int i = 0; i < 2; ++i) {
    const auto changes = store.save({said(kNova2, {"eu-central-1", "us-east-1"})});
    CHECK(changes.size() == (i == 0 ? 1u : 0u));
  }
  CHECK(store.alarms() ==
        R"(1234 {"profile":"eu.amazon.nova-2-lite-v1:0",)"
        R"("before":"eu-central-1,eu-north-1,eu-south-1,eu-south-2,eu-west-1,eu-west-3",)"
        R"("after":"eu-central-1,us-east-1","known_from":"built-in table"})");
}

TEST_CASE("a store of an older invlog gets the table when it is first needed", "[residency]") {
  const CatalogueStore store;
  store.store.tamper("DROP VIEW invocations; DROP TABLE trail; DROP TABLE inference_profile");
  CHECK(store.save({said(kNova2, kEu6)}).empty());
  CHECK(store.load().size() == 1);
  CHECK(!ProfileStore::open("/nonexistent/eu-central-1.db"));
}

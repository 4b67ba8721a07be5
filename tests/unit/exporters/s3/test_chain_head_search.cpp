#include "exporters/s3/chain_head_search.h"

#include "tests/catch.h"
#include "tests/contains.h"
#include "tests/unit/exporters/aws/scripted_http_client.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

using namespace invlog;
using namespace invlog::exporters;
using invlog::tests::contains;
using invlog::tests::ScriptedHttpClient;

namespace {

struct SearchScene {
  ObjectLayout layout{"", "111122223333", "eu-central-1", Compression::gzip, std::string(32, 'a')};
  ScriptedHttpClient http;
  FixedCredentials credentials;
  std::vector<std::chrono::milliseconds> waits;

  tl::expected<std::vector<KeptHead>, aws::ServiceFailure> search(
      std::int64_t born_us = kStartedAt, const std::vector<std::string>& given = {}) {
    CallTimes times;
    times.wait = [this](std::chrono::milliseconds pause) {
      waits.push_back(pause);
      return true;
    };
    times.random = [] { return 0.5; };
    return ChainHeadSearch(test_options(), layout, http, credentials, test_time, times)
        .kept(kStartedAt, born_us, given);
  }

  // AWS says where the bucket is, then lists these (key and time of writing).
  void listed(const std::vector<std::pair<std::string, std::string>>& objects,
              const std::string& more = "") {
    std::string xml = "<ListBucketResult>";
    for (const auto& [key, written] : objects) {
      xml += "<Contents><Key>" + key + "</Key><LastModified>" + written +
             "</LastModified><Size>1</Size></Contents>";
    }
    http.answer(200, xml + more + "</ListBucketResult>");
  }

  std::string key(std::int64_t first, std::int64_t last, bool retry = false) const {
    return record_key(layout, {first, last, kStartedAt, retry});
  }

  void has_head(const std::string& records, const std::string& segment, char digit = 'c') {
    http.answer(200, "",
                {{"x-amz-meta-invlog-chain-head", std::string(64, digit)},
                 {"x-amz-meta-invlog-chain-segment", segment},
                 {"x-amz-meta-invlog-records", records}});
  }
};

const aws::HttpHeaders kHere = {{"x-amz-bucket-region", "eu-central-1"}};

}  // namespace

TEST_CASE("The heads of this store's objects are found, that of the newest first") {
  SearchScene scene;
  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"},
                {scene.key(11, 20), "2026-09-21T14:30:00.000Z"},
                {kHourFolder + "data/abc_input.json.gz", "2026-09-21T14:31:00.000Z"}});
  scene.has_head("11-20", "7");
  scene.has_head("1-10", "9", 'd');
  const auto heads = scene.search();
  REQUIRE(heads);
  REQUIRE(heads->size() == 2);
  CHECK((*heads)[0].segment == 7);
  CHECK((*heads)[0].chain == std::string(64, 'c'));
  CHECK((*heads)[0].place == "s3://records-eu/" + scene.key(11, 20));
  CHECK((*heads)[1].segment == 9);
  CHECK((*heads)[1].chain == std::string(64, 'd'));
  REQUIRE(scene.http.seen.size() == 4);
  CHECK(contains(scene.http.seen[1].url, "start-after=AWSLogs%2F111122223333%2F"));
  CHECK(contains(scene.http.seen[1].url, "%2Feu-central-1%2F2026%2F09%2F21%2F14%2F"));
  CHECK(scene.http.seen[2].method == "HEAD");
}

TEST_CASE("A call that fails for the time being is made again") {
  SearchScene scene;
  scene.http.answer(503);
  scene.http.answer(200, "", kHere);
  scene.http.answer(503, "<Error><Code>SlowDown</Code></Error>");
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"},
                {scene.key(11, 20), "2026-09-21T14:30:00.000Z"}});
  scene.has_head("11-20", "7");
  scene.http.answer(503);
  scene.http.answer(500);
  scene.has_head("1-10", "6", 'd');
  const auto heads = scene.search();
  REQUIRE(heads);
  CHECK(heads->size() == 2);
  CHECK(scene.waits.size() == 4);
  SECTION("but not for ever") {
    SearchScene away;
    away.http.answer(200, "", kHere);
    for (int attempt = 0; attempt < 10; ++attempt) {
      away.http.answer(503);
    }
    CHECK_FALSE(away.search());
    CHECK(away.waits.size() == 3);
  }
}

TEST_CASE("An object that is gone by now is passed over") {
  SearchScene scene;
  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"},
                {scene.key(11, 20), "2026-09-21T14:30:00.000Z"}});
  scene.http.answer(404);
  scene.has_head("1-10", "6");
  const auto heads = scene.search();
  REQUIRE(heads);
  REQUIRE(heads->size() == 1);
  CHECK(heads->front().segment == 6);
  CHECK(scene.waits.empty());
}

TEST_CASE("Objects of other stores, without a head or with an odd one are passed over") {
  SearchScene scene;
  SearchScene other;
  other.layout.instance = std::string(32, 'b');
  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"},
                {scene.key(3, 3, true), "2026-09-21T14:21:00.000Z"}},
               "<IsTruncated>true</IsTruncated><NextContinuationToken>n</NextContinuationToken>");
  scene.listed({{other.key(1, 10), "2026-09-21T14:30:00.000Z"},
                {scene.key(30, 40), "2026-09-21T14:29:00.000Z"},
                {scene.key(20, 29), "2026-09-21T14:28:00.000Z"},
                {"AWSLogs/anything", "2026-09-21T14:27:00.000Z"}});
  scene.has_head("1-10", "99", 'e');
  scene.http.answer(200, "", {{"x-amz-meta-invlog-records", "30-40"}});
  scene.has_head("20-29", "-4");
  scene.http.answer(200);
  scene.has_head("3-3", "5");
  scene.has_head("1-10", "5");
  const auto heads = scene.search();
  REQUIRE(heads);
  REQUIRE(heads->size() == 1);
  CHECK((*heads)[0].segment == 5);
  CHECK((*heads)[0].place == "s3://records-eu/" + scene.key(3, 3, true));
}

TEST_CASE("Of objects of one second the highest segment is the newest") {
  SearchScene scene;
  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"},
                {scene.key(11, 20), "2026-09-21T14:20:00.000Z"},
                {scene.key(21, 30), "2026-09-21T14:20:00.000Z"},
                {scene.key(31, 40), "2026-09-21T14:19:59.000Z"}});
  scene.has_head("1-10", "7");
  scene.has_head("11-20", "9");
  scene.has_head("21-30", "8");
  scene.has_head("31-40", "10");
  const auto heads = scene.search();
  REQUIRE(heads);
  REQUIRE(heads->size() == 4);
  CHECK((*heads)[0].segment == 9);
}

TEST_CASE("Heads of a store that was put back are found in earlier hours too") {
  SearchScene scene;
  constexpr std::int64_t kHourUs = 3'600'000'000;
  ObjectLayout layout = scene.layout;
  const std::string before = record_key(layout, {11, 20, kStartedAt - 2 * kHourUs, false});
  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(11, 11), "2026-09-21T14:20:00.000Z"}});
  scene.listed({{scene.key(11, 11), "2026-09-21T14:20:00.000Z"}});
  scene.listed(
      {{before, "2026-09-21T12:20:00.000Z"}, {scene.key(11, 11), "2026-09-21T14:20:00.000Z"}});
  scene.has_head("11-11", "3");
  scene.has_head("11-20", "4", 'd');
  const auto heads = scene.search(kStartedAt - 2 * kHourUs);
  REQUIRE(heads);
  REQUIRE(heads->size() == 2);
  CHECK((*heads)[1].segment == 4);
  CHECK((*heads)[1].place == "s3://records-eu/" + before);
  CHECK(scene.http.seen.size() == 6);
}

TEST_CASE("Where others wrote all that is newest, the objects that the store knows tell") {
  constexpr std::size_t kMost = ChainHeadSearch::kMostAsked;
  SearchScene scene;
  SearchScene other;
  other.layout.instance = std::string(32, 'b');
  const std::string own = scene.key(1, 10);
  const auto place = [](const std::string& key) { return "s3://records-eu/" + key; };
  std::vector<std::pair<std::string, std::string>> objects;
  for (std::size_t i = 0; i < kMost; ++i) {
    const auto record = static_cast<std::int64_t>(i) + 1;
    objects.emplace_back(other.key(record, record), "2026-09-21T14:30:00.000Z");
  }
  objects.emplace_back(own, "2026-09-21T14:20:00.000Z");
  scene.http.answer(200, "", kHere);
  scene.listed(objects);
  const auto others_have_heads = [&] {
    for (std::size_t i = 0; i < kMost; ++i) {
      const std::string record = std::to_string(i + 1);
      scene.has_head(record + "-" + record, "3", 'e');
    }
  };
  const std::size_t asked_before = 2 + kMost;
  SECTION("of which the newest with a head counts") {
    others_have_heads();
    scene.http.answer(404);
    scene.http.answer(200, "", {{"x-amz-meta-invlog-records", "11-20"}});
    scene.has_head("1-10", "7");
    const auto heads = scene.search(
        kStartedAt, {place(kHourFolder + "data/abc_input.json.gz"), place(scene.key(21, 30)),
                     "s3://former/" + scene.key(31, 40), place("old/" + scene.key(41, 50)),
                     place(scene.key(11, 20)), place(own), place(scene.key(51, 60))});
    REQUIRE(heads);
    REQUIRE(heads->size() == 1);
    CHECK(heads->front().segment == 7);
    CHECK(heads->front().place == place(own));
    CHECK(heads->front().by_ledger);
    REQUIRE(scene.http.seen.size() == asked_before + 3);
    CHECK(contains(scene.http.seen[asked_before].url, scene.key(21, 30)));
    CHECK(contains(scene.http.seen[asked_before + 2].url, own));
  }
  SECTION("but a head beside them, as of a store that was put back, counts first") {
    // That of a delivery that the store, which is older, does not know.
    objects.front().first = scene.key(11, 20);
    SearchScene back;
    back.http.answer(200, "", kHere);
    back.listed(objects);
    back.has_head("11-20", "8", 'd');
    for (std::size_t i = 1; i < kMost; ++i) {
      back.http.answer(404);
    }
    const auto heads = back.search(kStartedAt, {place(own)});
    REQUIRE(heads);
    REQUIRE(heads->size() == 1);
    CHECK(heads->front().segment == 8);
    CHECK_FALSE(heads->front().by_ledger);
    CHECK(back.http.seen.size() == asked_before);
  }
  SECTION("and if none of these is left, nothing was compared") {
    others_have_heads();
    scene.http.answer(404);
    const auto heads = scene.search(kStartedAt, {place(own)});
    REQUIRE(!heads);
    CHECK(contains(heads.error().message, "none of the newest 2000 objects is this store's"));
  }
  SECTION("nor if one may not be read") {
    others_have_heads();
    scene.http.answer(403);
    const auto heads = scene.search(kStartedAt, {place(own)});
    REQUIRE(!heads);
    CHECK(contains(heads.error().message, "s3:GetObject"));
  }
}

TEST_CASE("No object of this store is no head, and what cannot be asked says why") {
  SearchScene scene;
  scene.http.answer(200, "", kHere);
  scene.listed({});
  const auto nothing = scene.search();
  REQUIRE(nothing);
  CHECK(nothing->empty());

  const std::string denied = "<Error><Code>AccessDenied</Code><Message>no</Message></Error>";
  scene.http.answer(200, "", kHere);
  scene.http.answer(403, denied);
  const auto unlisted = scene.search();
  REQUIRE(!unlisted);
  CHECK(contains(unlisted.error().message, "s3:ListBucket"));

  scene.http.answer(200, "", kHere);
  scene.listed({{scene.key(1, 10), "2026-09-21T14:20:00.000Z"}});
  scene.http.answer(403);
  const auto unread = scene.search();
  REQUIRE(!unread);
  CHECK(contains(unread.error().message, "s3:GetObject"));
}

#include "storage/eraser.h"

#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <atomic>
#include <fstream>
#include <random>
#include <thread>

#include "storage/delivery_ledger.h"
#include "storage/reader.h"
#include "storage/statement.h"
#include "storage/store.h"
#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/retention_fixture.h"
#include "tests/unit/storage/temporary_store.h"
#include "tests/unit/storage/unsynced_vfs.h"

using namespace invlog::storage;

namespace {

constexpr const char* kSecret = "Jane Q. Planted-Secret-4711";
constexpr std::int64_t kRecords = 60;

bool is_secret(std::int64_t id) {
  return id >= 11 && id <= 19;
}

// Turns of conversations: each request has the one before in it, the secret among them.
Record turn(std::int64_t id) {
  Record record = full_record();
  record.request_id = "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b" + std::to_string(1000 + id);
  record.input_tokens = id;
  std::string body = prose(1500, static_cast<std::uint64_t>(id / 10));
  for (std::int64_t earlier = id / 10 * 10; earlier <= id; ++earlier) {
    body += prose(300, static_cast<std::uint64_t>(earlier) + 1000);
    body += is_secret(earlier) ? kSecret : "";
  }
  record.request.bytes = body;
  record.response.bytes =
      prose(200, static_cast<std::uint64_t>(id)) + (is_secret(id) ? kSecret : "");
  record.details = is_secret(id) ? std::string(R"({"quoted":")") + kSecret + "\"}" : "";
  return record;
}

void fill_erasable(const TemporaryStore& store) {
  WriterOptions options = store.options();
  options.segment_bytes = 16 * 1024;
  Writer writer(options);
  for (std::int64_t id = 1; id <= kRecords; ++id) {
    submit_and_wait(writer, turn(id));
  }
}

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What zstd makes of a page's bytes from `at` on, as far as it gets.
std::string decoded(std::string_view page) {
  ZSTD_DStream* const stream = ZSTD_createDStream();
  std::string text(1 << 18, '\0');
  ZSTD_inBuffer input{page.data(), page.size(), 0};
  ZSTD_outBuffer output{text.data(), text.size(), 0};
  while (input.pos < input.size && output.pos < output.size) {
    const std::size_t before = input.pos + output.pos;
    if (ZSTD_isError(ZSTD_decompressStream(stream, &output, &input)) != 0 ||
        input.pos + output.pos == before) {
      break;
    }
  }
  ZSTD_freeDStream(stream);
  text.resize(output.pos);
  return text;
}

// Anywhere in the files' bytes, free pages and gaps included, as it is or compressed.
bool in_the_files(const std::string& path, const std::string& what) {
  for (const char* suffix : {"", "-wal", "-shm"}) {
    const std::string bytes = contents(path + suffix);
    if (bytes.find(what) != std::string::npos) {
      return true;
    }
    for (std::size_t at = bytes.find("\x28\xb5\x2f\xfd"); at != std::string::npos;
         at = bytes.find("\x28\xb5\x2f\xfd", at + 1)) {
      if (decoded(std::string_view(bytes).substr(at, 4096)).find(what) != std::string::npos) {
        return true;
      }
    }
  }
  return false;
}

ErasureSelection select(const std::string& path, const ErasureScope& scope) {
  auto reader = Reader::open(path);
  REQUIRE(reader.has_value());
  auto selection = select_for_erasure(**reader, scope);
  REQUIRE(selection.has_value());
  return *selection;
}

std::unique_ptr<Eraser> open_eraser(const std::string& path, const std::string& vfs = "") {
  EraserOptions options;
  options.path = path;
  options.why = "request 7";
  options.criterion = "caller = '...'";
  options.vfs = vfs;
  options.patience = std::chrono::milliseconds(10'000);
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  return std::move(*eraser);
}

// What `invlog erase --yes` does. Returns the number of records.
std::int64_t erase(const std::string& path, const ErasureScope& scope,
                   const std::string& vfs = "") {
  const auto eraser = open_eraser(path, vfs);
  const std::int64_t last = Reader::open(path).value()->last_id();
  eraser->close_segments(last);
  const ErasureSelection selection = select(path, scope);
  std::int64_t records = 0;
  for (const auto& segment : selection.segments) {
    CHECK(segment.closed);
    if (eraser->erase(segment)) {
      records += static_cast<std::int64_t>(segment.records.size());
    }
  }
  CHECK(eraser->finish());
  return records;
}

const ErasureScope kSecrets{"input_tokens BETWEEN 11 AND 19", {}};

void check_whole(const std::string& path, const std::vector<KnownHead>& heads = {}) {
  for (const VerifyProblem& problem : verify_store(path, {}, heads).problems) {
    FAIL_CHECK(problem.where << ": " << problem.what);
  }
}

bool reported(const std::string& path, const std::string& where) {
  for (const VerifyProblem& problem : verify_store(path, {}).problems) {
    if (problem.where == where) {
      return true;
    }
  }
  return false;
}

void check_bodies(const std::string& path, std::int64_t records = kRecords) {
  auto reader = Reader::open(path);
  REQUIRE(reader.has_value());
  for (std::int64_t id = 1; id <= records; ++id) {
    const auto stored = (*reader)->find(id, Bodies::both);
    REQUIRE(stored.has_value());
    const Record expected = turn(id);
    CHECK(stored->record.input_tokens == id);
    CHECK(stored->record.request_id == expected.request_id);
    if (is_secret(id)) {
      CHECK((stored->request_bytes == 0 && stored->response_bytes == 0));
      CHECK((stored->record.request.bytes.empty() && stored->record.response.bytes.empty()));
      CHECK(stored->record.details.empty());
    } else {
      CHECK(same_record(stored->record, expected));
    }
  }
}

std::vector<KnownHead> heads_of(const TemporaryStore& store) {
  std::vector<KnownHead> heads;
  const std::int64_t last = std::stoll(store.query("SELECT max(id) FROM segment"));
  for (std::int64_t id = 1; id <= last; ++id) {
    const auto chain = from_hex(
        store.query("SELECT lower(hex(chain)) FROM segment WHERE id = " + std::to_string(id)));
    heads.push_back({id, chain.value(), "a copy"});
  }
  return heads;
}

}  // namespace

TEST_CASE("What is erased is in no byte of the file, and all else is as it was", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  REQUIRE(in_the_files(store.path(), kSecret));
  const std::vector<KnownHead> heads = heads_of(store);
  REQUIRE(heads.size() > 3);
  const std::string digests =
      store.query("SELECT group_concat(hex(digest) || hex(chain)) FROM segment");
  CHECK(erase(store.path(), kSecrets) == 9);
  CHECK(!in_the_files(store.path(), kSecret));
  CHECK(contents(store.path() + "-wal").empty());
  check_bodies(store.path());
  check_whole(store.path(), heads);
  CHECK(store.query("SELECT group_concat(hex(digest) || hex(chain)) FROM segment WHERE id <= " +
                    std::to_string(heads.size())) == digests);
  CHECK(store.query("SELECT sum(count) FROM event WHERE kind = 'erased'") == "9");
  CHECK(store.query("SELECT details ->> '$.why' FROM event WHERE kind = 'erased'") == "request 7");
  CHECK(store.query("SELECT details ->> '$.records[0][0]' FROM event WHERE kind = 'erased'") ==
        "11");
  CHECK(store.query("SELECT max(id) FROM event") ==
        store.query("SELECT max(last_event) FROM segment"));
  CHECK(verify_store(store.path(), {}).erased == 9);
  // Once more: there is nothing left to do, and others can follow.
  const ErasureSelection again = select(store.path(), kSecrets);
  CHECK((again.records == 0 && again.already_erased == 9));
  CHECK(erase(store.path(), {"input_tokens IN (10, 20, 21, 60)", {}}) == 4);
  check_whole(store.path(), heads);
  {
    Writer writer(store.options());
    submit_and_wait(writer, turn(100));
  }
  check_whole(store.path(), heads);
}

TEST_CASE("An erasure while the store is verified waits for nobody, and is no damage", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  const std::vector<KnownHead> heads = heads_of(store);
  // In segments that were verified already, and in some whose turn is still to come.
  const ErasureScope scope{"input_tokens BETWEEN 11 AND 19 OR input_tokens IN (1, 60)", {}};
  std::int64_t erased = 0;
  const VerifyReport report = verify_store(
      store.path(),
      [&](std::uint64_t done, std::uint64_t) {
        if (done == 2) {
          erased = erase(store.path(), scope);
        }
      },
      heads);
  for (const VerifyProblem& problem : report.problems) {
    FAIL_CHECK(problem.where << ": " << problem.what);
  }
  CHECK(erased == 11);
  CHECK(report.erased == 11);
  CHECK(report.heads == heads.size());
}

TEST_CASE("Long details and small requests on record leave nothing behind either", "[eraser]") {
  TemporaryStore store;
  std::mt19937_64 random(5);
  {
    WriterOptions options = store.options();
    options.segment_bytes = 64 * 1024;
    Writer writer(options);
    for (std::int64_t id = 1; id <= 300; ++id) {
      Record record = full_record();
      record.input_tokens = id;
      record.details =
          "{\"text\":\"" + prose(random() % 900, random()) + (id % 3 == 0 ? kSecret : "") + "\"}";
      record.request.bytes = prose(random() % 700, random()) + (id % 3 == 0 ? kSecret : "");
      const auto intent = submit_intent_and_wait(writer, record);
      submit_and_wait(writer, record, intent);
    }
  }
  CHECK(erase(store.path(), {"input_tokens % 3 = 0", {}}) == 100);
  CHECK(!in_the_files(store.path(), kSecret));
  check_whole(store.path());
}

TEST_CASE("Of an erased record's details stays what is no content", "[eraser]") {
  TemporaryStore store;
  const std::string said =
      R"("sent":false,"rule":"deny = \"global\"","capture":"proxy","signature":)"
      R"({"accessKeyId":"AKIA","signedAt":"2026-09-21T14:13:20Z"},"overlong":{"model":60000},)"
      R"("stream":"ended early")";
  const std::string quoted = std::string(R"("error":")") + kSecret + R"(","target":"/)" + kSecret +
                             R"(","otherEvents":[{"a":")" + kSecret + "\"}]";
  {
    Writer writer(store.options());
    for (const std::string& details :
         {"{" + quoted + "," + said + "}", "{" + quoted + "}", std::string(), "no JSON " + quoted,
          "[\"" + std::string(kSecret) + "\"]"}) {
      Record record = record_with("{}", "{}");
      record.details = details;
      REQUIRE(submit_and_wait(writer, record));
    }
  }
  CHECK(erase(store.path(), {"true", {}}) == 5);
  CHECK(!in_the_files(store.path(), kSecret));
  CHECK(store.query("SELECT details FROM record WHERE id = 1") == "{" + said + "}");
  CHECK(store.query("SELECT count(*) FROM record WHERE details IS NULL") == "4");
  CHECK(store.query("SELECT count(*) FROM record WHERE flags & 32") == "5");
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  CHECK((*reader)->find(1, Bodies::both)->erased);
  check_whole(store.path());
}

TEST_CASE("What is to be erased is said in SQL or by request ids, and nothing is written",
          "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  const std::string before = contents(store.path());
  const ErasureSelection selection = select(store.path(), kSecrets);
  CHECK(selection.records == 9);
  CHECK(!selection.segments.empty());
  std::int64_t bytes = 0;
  for (std::int64_t id = 11; id <= 19; ++id) {
    bytes +=
        static_cast<std::int64_t>(turn(id).request.bytes.size() + turn(id).response.bytes.size());
  }
  CHECK(selection.body_bytes == bytes);
  CHECK(select(store.path(), {"instr(invlog_request(id), 'Planted-Secret') -- by content", {}})
            .records == 9);
  CHECK(select(store.path(), {"false", {}}).records == 0);
  const ErasureSelection named =
      select(store.path(), {"", {turn(11).request_id, turn(30).request_id, "unheard-of"}});
  CHECK(named.records == 2);
  CHECK(named.unknown_request_ids == std::vector<std::string>{"unheard-of"});
  auto reader = Reader::open(store.path());
  for (const char* wrong : {"", "no such column", "1)); DELETE FROM record; SELECT ((1", "1));",
                            "1); SELECT (1", "writefile('x', 'y')"}) {
    INFO(wrong);
    CHECK(!select_for_erasure(**reader, {wrong, {}}).has_value());
  }
  CHECK(contents(store.path()) == before);
}

TEST_CASE("An erasure does not leave out what lies before the first segment") {
  TemporaryStore store;
  for (const char* body : {"one", "two"}) {
    Writer writer(store.options());
    Record record = record_with(body, "");
    record.request_id = body;
    submit_and_wait(writer, std::move(record));
  }
  store.tamper("DELETE FROM segment WHERE id = 1");
  const auto reader = Reader::open(store.path());
  for (const ErasureScope& scope : {ErasureScope{"true", {}}, ErasureScope{"", {"one"}}}) {
    CHECK_THROWS_WITH(select_for_erasure(**reader, scope),
                      contains_text("record 1 belongs to no segment"));
  }
}

TEST_CASE("Records are looked for behind a page whose rows are out of order", "[eraser]") {
  TemporaryStore store;
  fill_marked(store);
  repeat_a_page_twice(store);
  const ErasureSelection selection =
      select(store.path(), {"details LIKE '%number-50-%' OR details LIKE '%number-299-%'", {}});
  CHECK(selection.records == 2);
}

TEST_CASE("A criterion is kept without what it looks for", "[eraser]") {
  const auto kept = [](const char* where) { return lasting_criterion({where, {}}); };
  CHECK(kept("caller = 'jane' AND id < 7") == "caller = '...' AND id < 7");
  CHECK(kept("a = 'O''Brien' OR b = \"jane\" -- jane") == "a = '...''...' OR b = \"...\"  ");
  CHECK(kept("/* jane */ 1") == "  1");
  CHECK(kept("x = 'jane") == "x = '...'");
  CHECK(kept("account = 123456789012 AND id < 9999") == "account = ... AND id < 9999");
  CHECK(kept("n IN(+12345,1.2345,0xFFFF,12_345,1e5)AND c12345=7") ==
        "n IN(+...,...,...,...,1e5)AND c12345=7");
  CHECK(lasting_criterion({"", {"a", "b"}}) == "2 request ids");
  CHECK(ranges_json({1, 2, 3, 7, 9, 10}, 9) == "[[1,3],[7,7],[9,10]]");
  CHECK(ranges_json({1, 3, 5}, 2) == "[[1,1],[3,3]]");
}

TEST_CASE("An erasure does not make what was changed look right", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  store.tamper("UPDATE record SET output_tokens = 0 WHERE id = 12");
  CHECK_THROWS_WITH(erase(store.path(), kSecrets), contains_text("nothing was erased from it"));
  CHECK(in_the_files(store.path(), kSecret));
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'erased'") == "0");
}

TEST_CASE("What is changed about an erasure is found", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  erase(store.path(), {"id = 12", {}});
  erase(store.path(), {"id = 13", {}});
  const std::string id =
      store.query("SELECT max(id) FROM segment WHERE first_record <= 12 AND last_record >= 12");
  REQUIRE(id == store.query("SELECT max(id) FROM segment WHERE first_record <= 13"));
  check_whole(store.path());
  // As somebody would who may write the file: the digests are made to fit as far as they go.
  const auto found_after = [&](const std::string& sql) {
    store.tamper(sql);
    return reported(store.path(), "segment " + id);
  };
  const std::string first = "(SELECT min(id) FROM event WHERE kind = 'erased')";
  const std::string second = "(SELECT max(id) FROM event WHERE kind = 'erased')";
  SECTION("another column of an erased record") {
    CHECK(found_after("UPDATE record SET input_tokens = 0 WHERE id = 12"));
  }
  SECTION("a mark without an event") {
    CHECK(found_after("UPDATE record SET flags = flags | 32 WHERE id = " +
                      store.query("SELECT first_record FROM segment WHERE id = " + id)));
  }
  SECTION("the first event, removed") {
    CHECK(found_after("DELETE FROM event WHERE id = " + first));
  }
  SECTION("the last event, removed") {
    CHECK(found_after("DELETE FROM event WHERE id = " + second));
  }
  SECTION("both events, removed") {
    CHECK(found_after("DELETE FROM event WHERE kind = 'erased'"));
  }
  SECTION("the digest after") {
    CHECK(
        found_after("UPDATE event SET details = json_set(details, '$.after', "
                    "lower(hex(zeroblob(32)))) WHERE id = " +
                    second));
  }
  SECTION("the digest before") {
    CHECK(
        found_after("UPDATE event SET details = json_set(details, '$.before', "
                    "lower(hex(zeroblob(32)))) WHERE id = " +
                    second));
  }
  SECTION("the number of records") {
    CHECK(found_after("UPDATE event SET count = 7 WHERE id = " + second));
  }
  SECTION("an event that says nothing") {
    store.tamper("INSERT INTO event(at, kind, count, details) VALUES (1, 'erased', 1, '[')");
    CHECK(reported(store.path(), "event " + store.query("SELECT max(id) FROM event")));
  }
  SECTION("an event of a segment that is not there") {
    store.tamper(
        "INSERT INTO event(at, kind, count, details) SELECT 1, 'erased', 1, json_set(details, "
        "'$.segment', 900) FROM event WHERE kind = 'erased' LIMIT 1");
    CHECK(reported(store.path(), "event " + store.query("SELECT max(id) FROM event")));
  }
}

TEST_CASE("Bodies go while an agent writes, those of its open segment too", "[eraser]") {
  TemporaryStore store;
  WriterOptions options = store.options();
  options.commit_interval = std::chrono::milliseconds(2);
  std::atomic<bool> stop{false};
  std::int64_t written = 20;
  {
    Writer writer(options);
    for (std::int64_t id = 1; id <= 20; ++id) {
      submit_and_wait(writer, turn(id));
    }
    auto reader = Reader::open(store.path());
    CHECK((*reader)->find(12, Bodies::both)->record.request.bytes == turn(12).request.bytes);
    const bool idle = GENERATE(false, true);
    std::thread traffic([&] {
      while (!idle && !stop) {
        submit_and_wait(writer, turn(++written));
      }
    });
    CHECK(erase(store.path(), kSecrets) == 9);
    stop = true;
    traffic.join();
    CHECK(!in_the_files(store.path(), kSecret));
    CHECK(!std::filesystem::exists(close_request_path(store.path())));
    // A reader that had decoded the segment before.
    CHECK((*reader)->find(12, Bodies::both)->record.request.bytes.empty());
    CHECK((*reader)->find(20, Bodies::both)->record.request.bytes == turn(20).request.bytes);
    check_whole(store.path());
    submit_and_wait(writer, turn(++written));
  }
  check_whole(store.path());
  check_bodies(store.path(), written);
  CHECK(!in_the_files(store.path(), kSecret));
}

TEST_CASE("An agent that does not answer, and a second eraser, are told", "[eraser]") {
  TemporaryStore store;
  WriterOptions of_agent = store.options();
  of_agent.clock = [] { return std::int64_t{1'790'000'000'000'000}; };
  Store agent(of_agent);  // that looks for no request
  agent.add(turn(11));
  agent.commit();
  EraserOptions options;
  options.path = store.path();
  options.patience = std::chrono::milliseconds(100);
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  CHECK_THROWS_WITH((*eraser)->close_segments(1), contains_text("did not close the segment"));
  CHECK(!std::filesystem::exists(close_request_path(store.path())));
  CHECK(Eraser::open(options).error().find("another `invlog erase`") != std::string::npos);
  options.path += ".missing";
  CHECK(!Eraser::open(options).has_value());
}

TEST_CASE("Nothing is erased beside a copy that would keep it", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  const std::string copy = store.path() + ".restored";
  std::filesystem::copy_file(store.path(), copy);
  EraserOptions options;
  options.path = store.path();
  CHECK_THAT(Eraser::open(options).error(), contains_text("beside it is " + copy));
  options.path = copy;
  CHECK(Eraser::open(options).has_value());
}

TEST_CASE("An agent whose lock file was removed is waited for, and ends its segment itself",
          "[eraser]") {
  TemporaryStore store;
  WriterOptions of_agent = store.options();
  of_agent.clock = [] { return std::int64_t{1'790'000'000'000'000}; };
  Store agent(of_agent);
  agent.add(turn(11));
  agent.commit();
  std::filesystem::remove(store.path() + "-lock");
  EraserOptions options;
  options.path = store.path();
  int pauses = 0;
  options.sleep = [&](std::chrono::milliseconds) {
    if (++pauses % 20 != 0) {
      return;
    }
    if (agent.file_is_gone()) {
      agent.restore_file();
    }
    if (agent.close_requested()) {
      agent.close_segment();
      agent.answer_close_request();
    }
  };
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  (*eraser)->close_segments(1);
  CHECK(!agent.file_is_gone());
  CHECK(!FileLock::try_lock(store.path() + "-lock", store.path()));
  CHECK(store.query("SELECT count(*) FROM segment WHERE closed_at IS NULL") == "0");
  CHECK(store.query("SELECT count(*) FROM event WHERE kind = 'recovered'") == "0");
  agent.add(turn(12));
  agent.commit();
  agent.close();
  check_whole(store.path());
}

TEST_CASE("A store without a lock file, whose agent would have noticed, has none", "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  std::filesystem::remove(store.path() + "-lock");
  EraserOptions options;
  options.path = store.path();
  std::chrono::milliseconds paused{0};
  options.sleep = [&](std::chrono::milliseconds time) { paused += time; };
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  (*eraser)->close_segments(kRecords);
  CHECK(paused > std::chrono::seconds(5));
  CHECK(paused < std::chrono::seconds(10));
  const auto first = paused;
  (*eraser)->close_segments(kRecords);  // now there is one
  CHECK(paused == first);
}

TEST_CASE("What refers to erased bodies when its segment was ended is kept without its own",
          "[eraser]") {
  TemporaryStore store;
  WriterOptions of_agent = store.options();
  of_agent.clock = [] { return std::int64_t{1'790'000'000'000'000}; };
  Store agent(of_agent);
  agent.add(turn(11));
  agent.commit();
  agent.add(turn(12));
  // An eraser that found no agent.
  std::filesystem::remove(store.path() + "-lock");
  std::ofstream(store.path() + "-lock") << "";
  CHECK(erase(store.path(), kSecrets) == 1);
  agent.commit();
  agent.add(turn(13));
  agent.commit();
  agent.close();
  check_whole(store.path());
  CHECK(store.query("SELECT group_concat(count) FROM event WHERE kind = 'bodies-lost'") == "1");
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  const auto without = (*reader)->find(2, Bodies::both);
  REQUIRE(without.has_value());
  CHECK(without->record.input_tokens == 12);
  CHECK((without->record.request.bytes.empty() && without->record.request.truncated));
  CHECK((*reader)->find(3, Bodies::both)->record.request.bytes == turn(13).request.bytes);
}

TEST_CASE("An agent that starts waits for who has its store for itself", "[eraser]") {
  TemporaryStore store;
  WriterOptions options = store.options();
  auto erases = FileLock::try_lock(store.path() + "-lock", store.path());
  REQUIRE(erases);
  CHECK_THROWS_WITH(Writer(options), contains_text("or `invlog erase` has it open"));
  options.lock_patience = std::chrono::milliseconds(5000);
  int pauses = 0;
  options.sleep = [&](std::chrono::milliseconds) {
    if (++pauses == 3) {
      erases.reset();
    }
  };
  Writer writer(options);
  CHECK(pauses == 3);
}

TEST_CASE("By whichever links a store is named, all meet at its one name", "[eraser]") {
  TemporaryStore store;
  namespace fs = std::filesystem;
  fs::create_directory(store.directory() / "other");
  fs::create_directory_symlink("other", store.directory() / "folder");
  const std::string real = store.directory() / "other" / "real.db";
  const std::string linked = GENERATE(false, true) ? store.directory() / "folder" / "real.db"
                                                   : store.directory() / "link.db";
  if (linked.ends_with("link.db")) {
    fs::create_symlink("other/real.db", linked);  // leads nowhere as yet
  }
  const bool agent_by_link = GENERATE(false, true);
  WriterOptions of_agent = store.options();
  of_agent.path = agent_by_link ? linked : real;
  of_agent.clock = [] { return std::int64_t{1'790'000'000'000'000}; };
  Store agent(of_agent);  // that looks for no request
  CHECK(fs::exists(real));
  agent.add(turn(11));
  agent.commit();
  WriterOptions second = of_agent;
  EraserOptions options;
  second.path = options.path = agent_by_link ? real : linked;
  options.patience = std::chrono::milliseconds(100);
  CHECK_THROWS_WITH(Store(second),
                    contains_text("another invlog agent or `invlog erase` has it open"));
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  CHECK_THROWS_WITH((*eraser)->close_segments(1), contains_text("did not close the segment"));
  options.path = of_agent.path;
  CHECK(Eraser::open(options).error().find("another `invlog erase`") != std::string::npos);
  const auto delivery = try_delivery_lock(real, "s3");
  CHECK((delivery && !try_delivery_lock(linked, "s3")));
  agent.close();
  CHECK(!fs::exists(linked + "-ship-s3") == linked.ends_with("link.db"));
  check_whole(linked);
}

TEST_CASE("No file that was put in the place of a lock file is followed or given away",
          "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  namespace fs = std::filesystem;
  constexpr uid_t kOther = 65534;
  const std::string victim = store.directory() / "victim";
  std::ofstream(victim) << "root's";
  if (::geteuid() == 0) {
    REQUIRE(::chown(store.path().c_str(), kOther, kOther) == 0);
  }
  const std::string lock = store.path() + "-erase";
  EraserOptions options;
  options.path = store.path();
  const auto refusal = [&] {
    const auto eraser = Eraser::open(options);
    return eraser ? "" : eraser.error();
  };
  fs::create_symlink(victim, lock);
  CHECK_THAT(refusal(), contains_text("it is a link"));
  fs::remove(lock);
  fs::create_hard_link(victim, lock);
  CHECK_THAT(refusal(), contains_text("something else; remove it"));
  fs::remove(lock);
  REQUIRE(::mkfifo(lock.c_str(), 0600) == 0);
  CHECK_THAT(refusal(), contains_text("something else; remove it"));
  fs::remove(lock);
  struct stat file {};
  REQUIRE(::stat(victim.c_str(), &file) == 0);
  CHECK(file.st_uid == ::geteuid());
  CHECK(refusal().empty());
  REQUIRE(::stat(lock.c_str(), &file) == 0);
  CHECK(file.st_uid == (::geteuid() == 0 ? kOther : ::geteuid()));
  if (::geteuid() == 0) {  // root's file, moved to there
    fs::rename(victim, lock);
    CHECK_THAT(refusal(), contains_text("which is empty; remove it"));
    fs::rename(lock, victim);
  }
  WriterOptions of_agent = store.options();
  of_agent.clock = [] { return std::int64_t{1'790'000'000'000'000}; };
  Store agent(of_agent);
  agent.add(turn(11));
  agent.commit();
  options.patience = std::chrono::milliseconds(100);
  fs::create_symlink(store.directory() / "made", close_request_path(store.path()));
  CHECK_THROWS_WITH(Eraser::open(options).value()->close_segments(kRecords + 1),
                    contains_text("cannot create"));
  CHECK(!fs::exists(store.directory() / "made"));
  fs::remove(close_request_path(store.path()));
}

TEST_CASE("A reader in a long transaction keeps the log from being emptied, and that is said",
          "[eraser]") {
  TemporaryStore store;
  fill_erasable(store);
  auto reader = Reader::open(store.path());
  EraserOptions options;
  options.path = store.path();
  options.patience = std::chrono::milliseconds(200);
  auto eraser = Eraser::open(options);
  REQUIRE(eraser.has_value());
  const ErasureSelection selection = select(store.path(), kSecrets);
  execute((*reader)->connection(), "BEGIN");
  REQUIRE((*reader)->last_id() == kRecords);
  for (const auto& segment : selection.segments) {
    CHECK((*eraser)->erase(segment));
  }
  CHECK(!(*eraser)->finish());
  execute((*reader)->connection(), "ROLLBACK");
  CHECK((*eraser)->finish());
  CHECK(!in_the_files(store.path(), kSecret));
}

TEST_CASE("A store verifies when retention takes what was erased before", "[eraser]") {
  RetentionFixture fixture;
  WriterOptions options = fixture.options();
  options.retention.keep_undelivered = false;
  std::int64_t number = 0;
  const auto add = [&](Store& store) {
    if (store.segment_due()) {
      store.close_segment();
    }
    store.add(noisy_record(++number, 40'000));
    store.commit();
    store.tidy();
  };
  {
    Store store(options);
    while (number < 200) {
      add(store);
    }
    store.close();
  }
  CHECK(erase(fixture.store.path(), {"id IN (10, 11, 190)", {}}) == 3);
  fixture.check_whole();
  Store store(options);
  while (fixture.first_record() <= 100) {
    REQUIRE(number < 1500);
    add(store);
  }
  fixture.check_whole();
  while (fixture.first_record() <= 200) {
    REQUIRE(number < 1500);
    add(store);
  }
  store.close();
  fixture.check_whole();
}

TEST_CASE("After a power cut amid an erasure a store verifies, and the erasure goes on",
          "[eraser]") {
  UnsyncedVfs& vfs = UnsyncedVfs::instance();
  vfs.clear();
  TemporaryStore store;
  {
    WriterOptions options = store.options();
    options.segment_bytes = 16 * 1024;
    options.vfs = vfs.name();
    Writer writer(options);
    for (std::int64_t id = 1; id <= kRecords; ++id) {
      submit_and_wait(writer, turn(id));
    }
  }
  std::vector<std::string> cuts;
  std::mt19937_64 random(3);
  vfs.set_hook([&] {
    if (random() % 5 == 0 && cuts.size() < 40) {
      const int survival[] = {0, 100, 50, 90};
      const std::string path = store.directory() / ("cut-" + std::to_string(cuts.size()) + ".db");
      vfs.snapshot(store.path(), path, survival[cuts.size() % 4], random());
      std::ofstream(path + "-lock") << "";
      cuts.push_back(path);
    }
  });
  CHECK(erase(store.path(), kSecrets, vfs.name()) == 9);
  vfs.set_hook({});
  vfs.clear();
  CHECK(cuts.size() > 10);
  std::int64_t unfinished = 0;
  for (const std::string& path : cuts) {
    INFO(path);
    check_whole(path);
    unfinished += erase(path, kSecrets) > 0 ? 1 : 0;
    check_whole(path);
    check_bodies(path);
    CHECK(!in_the_files(path, kSecret));
  }
  CHECK(unfinished > 0);
}

#include "agent/capture/recorder.h"

#include <sqlite3.h>

#include <future>

#include "agent/bedrock/privacy_filter.h"
#include "agent/capture/writer_sink.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/agent/capture/coroutine_loop.h"

namespace invlog::capture {
namespace {

using storage::Submitted;

// A store that answers what the test says.
class ScriptedSink : public RecordSink {
 public:
  Submitted submit(std::unique_ptr<storage::PendingRecord>& pending,
                   storage::Writer::Committed committed,
                   storage::Writer::IntentId intent) override {
    if (answer != Submitted::queued)
      return answer;
    taken.push_back(pending->build());
    intents_finished.push_back(intent);
    pending.reset();
    if (committed)
      waiting.push_back(std::move(committed));
    return answer;
  }
  Submitted submit_intent(std::unique_ptr<storage::PendingRecord>& pending,
                          storage::Writer::IntentId& intent,
                          storage::Writer::Committed committed) override {
    if (answer != Submitted::queued)
      return answer;
    intents.push_back(pending->build());
    pending.reset();
    intent = 6 + intents.size();
    waiting_intents.push_back(std::move(committed));
    return answer;
  }
  void forget_intent(storage::Writer::IntentId intent) override { forgotten.push_back(intent); }
  void when_room(std::function<void()> room) override { room_wanted.push_back(std::move(room)); }
  void count_dropped(const char* why, std::uint64_t records) override {
    for (; records > 0; --records)
      dropped.emplace_back(why);
  }
  void record_event(const char*, std::string) override {}
  bool failing() override { return is_failing; }
  void make_room() {
    answer = Submitted::queued;
    for (const auto& room : std::exchange(room_wanted, {}))
      room();
  }

  Submitted answer = Submitted::queued;
  bool is_failing = false;
  std::vector<storage::Record> taken, intents;
  std::vector<storage::Writer::IntentId> intents_finished, forgotten;
  std::vector<std::string> dropped;
  std::vector<storage::Writer::Committed> waiting;
  std::vector<storage::Writer::Committed> waiting_intents;
  std::vector<std::function<void()>> room_wanted;
};

bedrock::Invocation call(const std::string& body) {
  bedrock::Invocation made;
  made.method = "POST";
  made.target = "/model/m/converse";
  made.request.bytes = body;
  made.status = 200;
  return made;
}

struct RecorderScene {
  explicit RecorderScene(Recorder::Policy policy)
      : recorder(loop.executor(), sink, policy, statistics) {}
  CoroutineLoop loop;
  ScriptedSink sink;
  Statistics statistics;
  Recorder recorder;
};

Recorder::Policy policy(config::OnOverload on_overload, config::OnStorageFailure on_failure,
                        config::Durability durability = config::Durability::group) {
  return {durability, on_overload, on_failure};
}

constexpr auto kBlock = config::OnOverload::block;
constexpr auto kPassLoad = config::OnOverload::pass;
constexpr auto kPass = config::OnStorageFailure::pass;
constexpr auto kDeny = config::OnStorageFailure::deny;
constexpr auto kStrict = config::Durability::strict;

}  // namespace

TEST_CASE("block: what finds no room is held in order, and new calls wait for it") {
  RecorderScene scene(policy(kBlock, kPass));
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("1"), 0);
  scene.recorder.finish(call("2"), 0);
  CHECK(scene.recorder.held() == 2);
  const auto first = scene.loop.start(scene.recorder.admit());
  const auto second = scene.loop.start(scene.recorder.admit());
  CHECK_FALSE(*first);
  // Room came and went before it could be used.
  scene.sink.make_room();
  scene.sink.answer = Submitted::full;
  scene.loop.run();
  CHECK_FALSE(*first);
  CHECK(scene.recorder.held() == 2);
  scene.sink.make_room();
  scene.loop.run();
  CHECK(*first == true);
  CHECK(*second == true);
  REQUIRE(scene.sink.taken.size() == 2);
  CHECK(scene.sink.taken[0].request.bytes == "1");
  CHECK(scene.sink.taken[1].request.bytes == "2");
  CHECK(scene.statistics.dropped == 0);
  CHECK(scene.sink.dropped.empty());
}

TEST_CASE("pass on overload: what finds no room is dropped and counted, and nobody waits") {
  RecorderScene scene(policy(kPassLoad, kPass));
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("1"), 0);
  CHECK(scene.recorder.held() == 0);
  CHECK(scene.sink.dropped == std::vector<std::string>{"queue-full"});
  CHECK(scene.statistics.dropped == 1);
  CHECK(scene.sink.taken.empty());
  CHECK(*scene.loop.start(scene.recorder.admit()) == true);
}

TEST_CASE("pass on a failing store: what is held is given up at the next tick, and counted") {
  RecorderScene scene(policy(kBlock, kPass));
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("1"), 0);
  const auto waits = scene.loop.start(scene.recorder.admit());
  CHECK_FALSE(*waits);
  scene.sink.is_failing = true;
  scene.sink.answer = Submitted::failed;
  scene.recorder.tick();
  scene.loop.run();
  CHECK(*waits == true);
  CHECK(scene.recorder.held() == 0);
  scene.recorder.finish(call("2"), 0);
  CHECK(scene.sink.dropped == std::vector<std::string>(2, "storage-failing"));
  CHECK(scene.statistics.dropped == 2);
}

TEST_CASE("deny on a failing store: calls are refused, and what is held stays") {
  RecorderScene scene(policy(kBlock, kDeny));
  scene.sink.is_failing = true;
  scene.sink.answer = Submitted::failed;
  CHECK(*scene.loop.start(scene.recorder.admit()) == false);
  scene.recorder.finish(call("1"), 0);
  scene.recorder.tick();
  CHECK(scene.recorder.held() == 1);
  CHECK(scene.sink.dropped.empty());
  scene.sink.is_failing = false;
  scene.sink.make_room();
  scene.loop.run();
  CHECK(scene.sink.taken.size() == 1);
  CHECK(*scene.loop.start(scene.recorder.admit()) == true);
}

TEST_CASE("At the end what is held is handed over, and what finds no room is counted") {
  RecorderScene scene(policy(kBlock, kPass));
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("1"), 0);
  scene.recorder.finish(call("2"), 0);
  SECTION("with room") {
    scene.sink.answer = Submitted::queued;
    scene.recorder.drain();
    CHECK(scene.sink.taken.size() == 2);
    CHECK(scene.sink.dropped.empty());
  }
  SECTION("without") {
    scene.recorder.drain();
    CHECK(scene.sink.dropped == std::vector<std::string>(2, "stopped"));
    CHECK(scene.statistics.dropped == 2);
  }
  CHECK(scene.recorder.held() == 0);
}

TEST_CASE("Room that comes after the recorder has gone is nobody's") {
  CoroutineLoop loop;
  ScriptedSink sink;
  Statistics statistics;
  {
    Recorder recorder(loop.executor(), sink, policy(kBlock, kPass), statistics);
    sink.answer = Submitted::full;
    recorder.finish(call("1"), 0);
  }
  sink.make_room();
  loop.run();
  CHECK(sink.taken.empty());
}

TEST_CASE("Strict: begin waits for the commit and brings the intent that finish ends") {
  RecorderScene scene(policy(kBlock, kPass, kStrict));
  CHECK(scene.recorder.strict());
  Recorder::IntentId intent = 99;
  const auto begun = scene.loop.start(scene.recorder.begin(call("1"), intent));
  CHECK_FALSE(*begun);
  REQUIRE(scene.sink.waiting_intents.size() == 1);
  scene.sink.waiting_intents[0](true);
  scene.loop.run();
  CHECK(*begun == true);
  CHECK(intent == 7);
  const auto finished = scene.loop.start(scene.recorder.finish_and_wait(call("1"), intent));
  CHECK_FALSE(*finished);
  CHECK(scene.sink.intents_finished == std::vector<Recorder::IntentId>{7});
  scene.sink.waiting.at(0)(true);
  scene.loop.run();
  CHECK(*finished == true);
}

TEST_CASE("Strict: what could not be made durable is decided by on_storage_failure") {
  const bool deny = GENERATE(true, false);
  RecorderScene scene(policy(kBlock, deny ? kDeny : kPass, kStrict));
  Recorder::IntentId intent = 99;
  const auto begun = scene.loop.start(scene.recorder.begin(call("1"), intent));
  scene.sink.waiting_intents.at(0)(false);
  scene.loop.run();
  CHECK(*begun == !deny);
  const auto finished = scene.loop.start(scene.recorder.finish_and_wait(call("1"), 0));
  scene.sink.waiting.at(0)(false);
  scene.loop.run();
  CHECK(*finished == !deny);
}

TEST_CASE("Strict: begin waits for room, unless policy says that calls go on") {
  SECTION("block") {
    RecorderScene scene(policy(kBlock, kPass, kStrict));
    scene.sink.answer = Submitted::full;
    Recorder::IntentId intent = 0;
    const auto begun = scene.loop.start(scene.recorder.begin(call("1"), intent));
    CHECK_FALSE(*begun);
    scene.sink.make_room();
    scene.loop.run();
    REQUIRE(scene.sink.waiting_intents.size() == 1);
    scene.sink.waiting_intents[0](true);
    scene.loop.run();
    CHECK(*begun == true);
    CHECK(intent == 7);
  }
  SECTION("pass on overload") {
    RecorderScene scene(policy(kPassLoad, kPass, kStrict));
    scene.sink.answer = Submitted::full;
    Recorder::IntentId intent = 9;
    CHECK(*scene.loop.start(scene.recorder.begin(call("1"), intent)) == true);
    CHECK(intent == 0);
  }
  SECTION("deny on a failing store") {
    RecorderScene scene(policy(kBlock, kDeny, kStrict));
    scene.sink.answer = Submitted::failed;
    scene.sink.is_failing = true;
    Recorder::IntentId intent = 9;
    CHECK(*scene.loop.start(scene.recorder.begin(call("1"), intent)) == false);
  }
}

TEST_CASE("Strict: calls do not wait for a store that hangs, unless an answer must be on disk") {
  const bool deny = GENERATE(true, false);
  RecorderScene scene(policy(kBlock, deny ? kDeny : kPass, kStrict));
  Recorder::IntentId intent = 0;
  const auto begun = scene.loop.start(scene.recorder.begin(call("1"), intent));
  const auto finished = scene.loop.start(scene.recorder.finish_and_wait(call("2"), 3));
  scene.recorder.tick();
  scene.loop.run();
  CHECK_FALSE(*begun);
  CHECK_FALSE(*finished);
  scene.sink.is_failing = true;
  scene.recorder.tick();
  scene.loop.run();
  CHECK(*begun == !deny);
  CHECK(intent == 7);  // queued all the same: the record of the call ends it
  CHECK(finished->has_value() == !deny);
  scene.sink.waiting.at(0)(true);
  scene.sink.waiting_intents.at(0)(true);
  scene.loop.run();
  CHECK(*finished == true);
  // While it fails, nobody begins to wait.
  if (!deny)
    CHECK(*scene.loop.start(scene.recorder.finish_and_wait(call("1"), intent)) == true);
}

TEST_CASE("Strict: a held record that is dropped at the end lets its call end") {
  RecorderScene scene(policy(kBlock, kDeny, kStrict));
  scene.sink.answer = Submitted::full;
  const auto finished = scene.loop.start(scene.recorder.finish_and_wait(call("1"), 0));
  CHECK_FALSE(*finished);
  scene.recorder.drain();
  scene.loop.run();
  CHECK(*finished == false);
}

TEST_CASE("deny on a failing store: of refused calls, which clients repeat, nothing is held") {
  RecorderScene scene(policy(kBlock, kDeny));
  scene.sink.is_failing = true;
  scene.sink.answer = Submitted::failed;
  scene.recorder.finish(call("was under way"), 0);
  for (const bedrock::Outcome outcome : {bedrock::Outcome::denied, bedrock::Outcome::error}) {
    bedrock::Invocation refused = call("again");
    refused.outcome = outcome;
    scene.recorder.finish(std::move(refused), 0);
  }
  CHECK(scene.recorder.held() == 1);
  CHECK(scene.sink.dropped == std::vector<std::string>(2, "storage-failing"));
  // As long as there is hope they are held like all others.
  scene.sink.is_failing = false;
  scene.sink.answer = Submitted::full;
  bedrock::Invocation refused = call("once");
  refused.outcome = bedrock::Outcome::denied;
  scene.recorder.finish(std::move(refused), 0);
  CHECK(scene.recorder.held() == 2);
}

TEST_CASE("A change to pass on overload gives up what is held") {
  RecorderScene scene(policy(kBlock, kDeny, kStrict));
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("1"), 0);
  const auto finished = scene.loop.start(scene.recorder.finish_and_wait(call("2"), 7));
  CHECK(scene.recorder.held() == 2);
  scene.recorder.change(kPassLoad, kDeny, {});
  scene.loop.run();
  CHECK(scene.recorder.held() == 0);
  CHECK(scene.sink.dropped == std::vector<std::string>(2, "queue-full"));
  CHECK(*finished == true);
  CHECK(scene.sink.forgotten == std::vector<Recorder::IntentId>{7});
}

TEST_CASE(
    "Strict: a queue that is full costs no answer with pass on overload; a failing store may") {
  RecorderScene scene(policy(kPassLoad, kDeny, kStrict));
  scene.sink.answer = Submitted::full;
  const auto overload = scene.loop.start(scene.recorder.finish_and_wait(call("1"), 7));
  scene.loop.run();
  CHECK(*overload == true);
  scene.sink.answer = Submitted::failed;
  const auto failure = scene.loop.start(scene.recorder.finish_and_wait(call("2"), 8));
  scene.loop.run();
  CHECK(*failure == false);
  CHECK(scene.sink.dropped == std::vector<std::string>{"queue-full", "storage-failing"});
  // Else they would become records of calls that were interrupted.
  CHECK(scene.sink.forgotten == std::vector<Recorder::IntentId>{7, 8});
}

TEST_CASE("A change is for what comes after it; a call keeps the privacy that it began with") {
  config::PrivacyConfig nothing;
  nothing.metadata_only = true;
  RecorderScene scene(policy(kBlock, kDeny));
  bedrock::Invocation before = call("1");
  before.privacy = scene.recorder.privacy();
  scene.recorder.change(kPassLoad, kPass, bedrock::make_privacy_filter(nothing));
  bedrock::Invocation after = call("2");
  after.privacy = scene.recorder.privacy();
  scene.recorder.finish(std::move(before), 0);
  scene.recorder.finish(std::move(after), 0);
  scene.recorder.finish(call("3"), 0);
  REQUIRE(scene.sink.taken.size() == 3);
  CHECK(scene.sink.taken[0].request.bytes == "1");
  CHECK(scene.sink.taken[1].request.bytes != "2");
  CHECK(scene.sink.taken[2].request.bytes != "3");
  // No longer "block": what finds no room is dropped.
  scene.sink.answer = Submitted::full;
  scene.recorder.finish(call("4"), 0);
  CHECK(scene.sink.dropped == std::vector<std::string>{"queue-full"});
}

TEST_CASE("Drops are event rows of a real store, added up by cause") {
  const tests::TemporaryDirectory directory;
  storage::WriterOptions options;
  options.path = directory.path() + "/eu-central-1.db";
  options.region = "eu-central-1";
  options.host = "test";
  options.agent_version = "0";
  options.queue_bytes = 50'000;
  CoroutineLoop loop;
  Statistics statistics;
  {
    storage::Writer writer(options);
    WriterSink sink(writer);
    Recorder recorder(loop.executor(), sink, policy(kPassLoad, kPass), statistics);
    // Larger than the queue: there is never room.
    for (int number = 0; number < 3; ++number)
      recorder.finish(call(std::string(100'000, 'x')), 0);
    recorder.finish(call("{}"), 0);
    writer.stop();
    CHECK(statistics.dropped + writer.status().committed == 4);
    CHECK(writer.status().dropped == statistics.dropped);
  }
  sqlite3* store = nullptr;
  REQUIRE(sqlite3_open_v2(options.path.c_str(), &store, SQLITE_OPEN_READONLY, nullptr) ==
          SQLITE_OK);
  sqlite3_stmt* query = nullptr;
  REQUIRE(sqlite3_prepare_v2(store,
                             "SELECT sum(count), min(details) FROM event WHERE kind = 'dropped'",
                             -1, &query, nullptr) == SQLITE_OK);
  REQUIRE(sqlite3_step(query) == SQLITE_ROW);
  CHECK(sqlite3_column_int64(query, 0) == static_cast<std::int64_t>(statistics.dropped));
  CHECK(std::string(reinterpret_cast<const char*>(sqlite3_column_text(query, 1))) ==
        "{\"why\":\"queue-full\"}");
  sqlite3_finalize(query);
  sqlite3_close(store);
  CHECK(statistics.dropped >= 2);
}

}  // namespace invlog::capture

#include <sys/stat.h>

#include "storage/label_table.h"
#include "storage/reader.h"
#include "storage/store_error.h"
#include "storage/verify.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

std::string problems(const VerifyReport& report) {
  std::string text;
  for (const VerifyProblem& problem : report.problems) {
    text += problem.where + ": " + problem.what + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("Every field of a record reads back as it was written") {
  TemporaryStore store;
  const Record full = full_record();
  Record empty;
  empty.started_at_us = 1;
  {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, full));
    CHECK(submit_and_wait(writer, empty));
    SECTION("while the writer is open") {
      auto reader = Reader::open(store.path());
      REQUIRE(reader.has_value());
      CHECK(same_record((*reader)->find(1, Bodies::both)->record, full));
      CHECK(same_record((*reader)->find(2, Bodies::both)->record, empty));
    }
  }
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  CHECK(same_record((*reader)->find(1, Bodies::both)->record, full));
  CHECK(same_record((*reader)->find(2, Bodies::both)->record, empty));
  CHECK(!(*reader)->find(3, Bodies::both).has_value());
  CHECK((*reader)->last_id() == 2);
  const StoreInformation information = (*reader)->information();
  CHECK(information.region == "eu-central-1");
  CHECK(information.account_id == "111122223333");
  CHECK(information.host == "test-host");
  CHECK(information.format_version == 1);
  CHECK(problems(verify_store(store.path(), {})) == "");

  struct stat status {};
  REQUIRE(::stat(store.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("A label is cut at a character's end, if it has any") {
  CHECK(cut_label("ab\u00e9", 4) == "ab\u00e9");
  CHECK(cut_label("ab\u00e9", 3) == "ab");
  CHECK(cut_label("\U0001F600", 3).empty());
  CHECK(cut_label("\x80\x80\x80\x80\x80\x80", 4) == "\x80\x80\x80\x80");
  CHECK(cut_label("", 0).empty());
}

TEST_CASE("No label is longer than 64 KiB, and metadata is whole or left out") {
  TemporaryStore store;
  const std::string large(64 * 1024 - 1, 'x');
  Record record = full_record();
  record.model_id = large + "\u00e9";
  record.identity_arn = std::string(5'000'000, 'a');
  record.request_metadata = "{\"k\":\"" + large + "\"}";
  {
    Writer writer(store.options());
    CHECK(submit_and_wait(writer, record));
    record.identity_arn += "another";
    CHECK(submit_and_wait(writer, record));
  }
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  const Record read = (*reader)->find(2, Bodies::both)->record;
  CHECK(read.model_id == large);
  CHECK(read.identity_arn == std::string(64 * 1024, 'a'));
  CHECK(read.request_metadata.empty());
  CHECK(store.query("SELECT count(*) FROM label WHERE length(text) > 60000") == "2");
  CHECK(problems(verify_store(store.path(), {})) == "");
}

TEST_CASE("The group may read a store whose directory says so, and no other") {
  const auto mode_in = [](mode_t directory) {
    TemporaryStore store;
    ::chmod(store.directory().c_str(), directory);
    for (int starts = 0; starts < 2; ++starts)  // it is made, and it is there
      Writer(store.options()).stop();
    struct stat status {};
    REQUIRE(::stat(store.path().c_str(), &status) == 0);
    return status.st_mode & 0777;
  };
  CHECK(mode_in(0750) == 0640);
  CHECK(mode_in(0700) == 0600);
  CHECK(mode_in(0755) == 0600);
}

TEST_CASE("Bodies are read only as asked for") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit(writer, record_with("question", "answer"));
  }
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  const auto none = (*reader)->find(1, Bodies::none);
  CHECK(none->record.request.bytes == "");
  CHECK(none->request_bytes == 8);
  CHECK(none->response_bytes == 6);
  CHECK((*reader)->find(1, Bodies::request)->record.request.bytes == "question");
  CHECK((*reader)->find(1, Bodies::request)->record.response.bytes == "");
  CHECK((*reader)->find(1, Bodies::response)->record.response.bytes == "answer");
}

#include "storage/functions.h"

#include "storage/base64.h"
#include "storage/reader.h"
#include "storage/statement.h"
#include "storage/store_error.h"
#include "tests/catch.h"
#include "tests/unit/storage/temporary_store.h"

using namespace invlog::storage;

namespace {

std::string text(Reader& reader, const std::string& sql) {
  Statement select(reader.connection(), sql);
  const bool row = select.step();
  REQUIRE(row);
  return select.is_null(0) ? "NULL" : std::string(select.bytes(0));
}

}  // namespace

TEST_CASE("SQL reads bodies and records by id") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer, full_record());
    submit_and_wait(writer, record_with(R"({"a":[1,2]})", R"({"b":3})"));
  }
  auto opened = Reader::open(store.path());
  REQUIRE(opened.has_value());
  Reader& reader = **opened;
  CHECK(text(reader, "SELECT invlog_request(2)") == R"({"a":[1,2]})");
  CHECK(text(reader, "SELECT typeof(invlog_request(2))") == "text");
  CHECK(text(reader, "SELECT json_extract(invlog_response(2), '$.b')") == "3");
  CHECK(text(reader, "SELECT typeof(invlog_response(1))") == "blob");
  CHECK(text(reader, "SELECT hex(invlog_response(1))") == "00FF0A2062696E617279");
  CHECK(text(reader,
             "SELECT json_extract(invlog_record(id), '$.invlog.id') FROM invocations "
             "WHERE outcome = 'complete'") == "2");
  CHECK(text(reader, "SELECT invlog_record(3)") == "NULL");
  CHECK(text(reader, "SELECT invlog_record(NULL)") == "NULL");
  CHECK_THROWS_AS(text(reader, "SELECT invlog_request()"), StoreError);
  CHECK_THROWS_AS(text(reader, "DELETE FROM record"), StoreError);
}

TEST_CASE("SQL finds a text in either body, however JSON writes it") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer,
                    record_with(R"({"a":"J\u00fcrgen M\u00FCller"})", R"({"b":"R\u0026D"})"));
    submit_and_wait(writer, record_with(R"({"a":"Jurgen"})", R"({"b":"a\/b 4711"})"));
  }
  auto reader = Reader::open(store.path());
  const auto ids = [&](const std::string& condition) {
    return text(**reader, "SELECT group_concat(id) FROM invocations WHERE " + condition);
  };
  CHECK(ids("invlog_contains(id, 'Jürgen Müller')") == "1");
  CHECK(ids("invlog_contains(id, 'R&D')") == "1");
  CHECK(ids("invlog_contains(id, 'a/b')") == "2");
  CHECK(ids("invlog_contains(id, 4711)") == "2");
  CHECK(ids("NOT invlog_contains(id, 'Jürgen')") == "2");
  CHECK(text(**reader, "SELECT invlog_contains(3, 'x')") == "NULL");
  CHECK(text(**reader, "SELECT invlog_contains(1, NULL)") == "NULL");
  CHECK_THROWS_AS(text(**reader, "SELECT invlog_contains(1, '')"), StoreError);
  CHECK_THROWS_AS(text(**reader, "SELECT invlog_contains(1)"), StoreError);
}

TEST_CASE("SQL finds a text in what the details keep of the bodies") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    Record record = record_with("", "{}");
    record.details = R"({"otherRequestEvents":[{"type":"a","payload":{"b":"J\u00fcrgen"}}]})";
    submit_and_wait(writer, record);
    record.details = "{\"undecoded\":\"" + base64_encode("\x01{\"text\":\"4711\"}") + "\"}";
    submit_and_wait(writer, record);
  }
  auto reader = Reader::open(store.path());
  const auto ids = [&](const std::string& wanted) {
    return text(**reader, "SELECT group_concat(id) FROM invocations WHERE invlog_contains(id, '" +
                              wanted + "')");
  };
  CHECK(ids("Jürgen") == "1");
  CHECK(ids("4711") == "2");
  CHECK(ids("absent") == "NULL");
}

TEST_CASE("With another store attached an id does not say whose it is") {
  TemporaryStore one, other;
  for (const TemporaryStore* store : {&one, &other}) {
    Writer writer(store->options());
    submit_and_wait(writer, record_with("{}", "{}"));
  }
  auto reader = Reader::open(one.path());
  Statement((*reader)->connection(), "ATTACH ':memory:' AS notes").run();
  CHECK(text(**reader, "SELECT invlog_request(1)") == "{}");
  Statement((*reader)->connection(), "ATTACH '" + other.path() + "' AS other").run();
  CHECK(text(**reader, "SELECT count(*) FROM other.record") == "1");
  CHECK_THROWS_AS(text(**reader, "SELECT invlog_request(id) FROM other.invocations"), StoreError);
}

TEST_CASE("Temporary tables with the names of the store's do not stand for them") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer, full_record());
  }
  auto reader = Reader::open(store.path());
  REQUIRE(reader.has_value());
  const std::string record = text(**reader, "SELECT invlog_record(1)");
  // Before anything is read on the connection, and after.
  auto fresh = Reader::open(store.path());
  REQUIRE(fresh.has_value());
  for (Reader* each : {reader->get(), fresh->get()}) {
    for (const char* table : {"label", "record", "segment", "chunk", "event", "trail"}) {
      execute(each->connection(),
              "CREATE TEMP TABLE " + std::string(table) + "(id INTEGER PRIMARY KEY)");
    }
    each->release_memory();
    CHECK(text(*each, "SELECT invlog_record(1)") == record);
    CHECK(text(*each, "SELECT invlog_contains(1, 'messages')") == "1");
    CHECK(each->last_id() == 1);
  }
}

TEST_CASE("A damaged body is an SQL error that says where") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer, full_record());
  }
  store.tamper("UPDATE record SET checksum = checksum + 1");
  auto reader = Reader::open(store.path());
  try {
    text(**reader, "SELECT invlog_request(1)");
    FAIL("no error");
  } catch (const StoreError& error) {
    CHECK(std::string(error.what()).find("record 1: its bodies in segment 1") != std::string::npos);
  }
}

TEST_CASE("The view shows a record under friendly names, without any extension") {
  TemporaryStore store;
  {
    Writer writer(store.options());
    submit_and_wait(writer, full_record());
    Record other;
    other.started_at_us = 1;
    other.request_id = "not-a-uuid";
    submit_and_wait(writer, other);
  }
  const auto value = [&store](const std::string& column, int id = 1) {
    return store.query("SELECT " + column + " FROM invocations WHERE id = " + std::to_string(id));
  };
  CHECK(value("started_at") == "2026-09-21T14:13:20.123Z");
  CHECK(value("day") == "2026-09-21");
  CHECK(value("operation") == "ConverseStream");
  CHECK(value("model") == "eu.amazon.nova-2-lite-v1:0");
  CHECK(value("profile") == "eu.amazon.nova-2-lite-v1:0");
  CHECK(value("scope") == "geographic");
  CHECK(value("decision") == "flag");
  CHECK(value("status") == "200");
  CHECK(value("outcome") == "client-closed");
  CHECK(value("error") == "throttlingException");
  CHECK(value("stop_reason") == "end_turn");
  CHECK(value("input_tokens") == "3");
  CHECK(value("output_tokens") == "150");
  CHECK(value("cache_read_tokens") == "0");
  CHECK(value("cache_write_tokens") == "28857");
  CHECK(value("latency_ms") == "1234.567");
  CHECK(value("first_byte_ms") == "89.012");
  CHECK(value("stream") == "1");
  CHECK(value("request_id") == "0f9d5a3e-1c55-4d0e-9a51-6a2a2f4b7c11");
  CHECK(value("sdk_invocation_id") == "7e2c6f50-53a8-4b8b-8f43-000000000001");
  CHECK(value("identity_arn") == "arn:aws:sts::111122223333:assumed-role/app/session");
  CHECK(value("caller") == "www-data");
  CHECK(value("caller_executable") == "/usr/bin/python3.11");
  CHECK(value("caller_pid") == "4711");
  CHECK(value("request_metadata") == R"({"team":"orchestrator"})");
  CHECK(value("request_bytes") == "15");
  CHECK(value("response_bytes") == "10");
  CHECK(value("truncated") == "1");
  CHECK(value("inference_region") == "eu-west-3");
  CHECK(value("source_region") == "eu-central-1");
  CHECK(value("details") == R"({"damage":"crc"})");
  CHECK(value("request_id", 2) == "not-a-uuid");
  CHECK(value("model IS NULL AND status IS NULL AND latency_ms IS NULL", 2) == "1");
}

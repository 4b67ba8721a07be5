#include "agent/capture/status_file.h"

#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

namespace invlog::capture {
namespace {

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("status.json is JSON, whatever the texts in it, and each number is under its name") {
  AgentFacts agent;
  agent.pid = 4242;
  agent.version = "0.1.0";
  agent.region = "eu-central-1";
  agent.listen = "127.0.0.1:4180";
  agent.listeners = {"127.0.0.1:4180", "unix:/run/invlog/invlog.sock"};
  agent.upstream = "https://bedrock.test";
  agent.started_at = "2026-10-05T13:59:00Z";
  Statistics statistics;
  statistics.calls = 9;
  statistics.passed_through = 2;
  statistics.denied = 1;
  statistics.upstream_errors = 7;
  statistics.access_denied = 8;
  statistics.clients = {4, 11};
  statistics.note_error("a \"quoted\" \\ text\nof two lines \x01");
  statistics.note_error("another");
  storage::WriterStatus store;
  store.failing = true;
  store.last_error = "disk full";
  store.committed = 6;
  store.dropped = 3;
  store.untold_drops = 2;
  store.queued_records = 5;
  store.queued_bytes = 2048;

  simdjson::dom::parser parser;
  const std::string text = status_json(agent, statistics, store);
  const simdjson::dom::element json = parser.parse(text);
  const auto number = [&](const char* name) { return std::int64_t(json[name]); };
  CHECK(number("pid") == 4242);
  CHECK(number("calls") == 9);
  CHECK(number("recorded") == 6);
  CHECK(number("passed_through") == 2);
  CHECK(number("denied") == 1);
  CHECK(number("dropped") == 3);
  CHECK(number("access_denied") == 8);
  CHECK(number("connections_refused") == 4);
  CHECK(number("slow_clients_cut") == 11);
  CHECK(number("upstream_errors") == 7);
  CHECK(number("queued_records") == 5);
  CHECK(number("queued_bytes") == 2048);
  CHECK(std::string_view(json["listen"]) == "127.0.0.1:4180");
  CHECK(json["listeners"].get_array().size() == 2);
  CHECK(std::string_view(json["listeners"].at(1)) == "unix:/run/invlog/invlog.sock");
  CHECK(bool(json["storage"]["failing"]));
  CHECK(std::string_view(json["storage"]["last_error"]) == "disk full");
  CHECK(std::string_view(json["last_errors"].at(0)) == "a \"quoted\" \\ text\nof two lines \x01");
  CHECK(std::string_view(json["last_errors"].at(1)) == "another");
}

TEST_CASE("The next agent reads in status.json which drops no row tells of") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/status.json";
  CHECK(read_untold_drops(path).records == 0);
  AgentFacts agent;
  agent.region = "eu-central-1";
  storage::WriterStatus store;
  store.dropped = 20;
  CHECK(replace_file(path, status_json(agent, {}, store)) == "");
  CHECK(read_untold_drops(path).records == 0);
  store.untold_drops = 17;
  CHECK(replace_file(path, status_json(agent, {}, store)) == "");
  CHECK(read_untold_drops(path).records == 17);
  CHECK(read_untold_drops(path).region == "eu-central-1");
  for (const char* foreign : {"", "no JSON", "[]", R"({"region":"x","untold_drops":-1})",
                              R"({"region":"x","untold_drops":"many"})", R"({"untold_drops":4})"}) {
    CHECK(replace_file(path, foreign) == "");
    CHECK(read_untold_drops(path).records == 0);
  }
}

TEST_CASE("Only the latest errors are kept") {
  Statistics statistics;
  for (int number = 0; number < 25; ++number)
    statistics.note_error(std::to_string(number));
  CHECK(statistics.last_errors.size() == Statistics::kKeptErrors);
  CHECK(statistics.last_errors.front() == "15");
  CHECK(statistics.last_errors.back() == "24");
}

TEST_CASE("A file is replaced whole, is its owner's alone, and nothing stays beside it") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/status.json";
  CHECK(replace_file(path, "first, and longer") == "");
  CHECK(content(path) == "first, and longer");
  CHECK(replace_file(path, "second") == "");
  CHECK(content(path) == "second");
  struct stat information {};
  REQUIRE(::stat(path.c_str(), &information) == 0);
  CHECK((information.st_mode & 0777) == 0600);
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(directory.path()))
    ++files;
  CHECK(files == 1);
}

TEST_CASE("Where nothing can be written beside it, the file is overwritten in place") {
  const tests::TemporaryDirectory directory;
  const std::string path = directory.path() + "/status.json";
  CHECK(replace_file(path, "first, and longer") == "");
  std::filesystem::create_directory(path + ".new");
  CHECK(replace_file(path, "second") == "");
  CHECK(content(path) == "second");
}

TEST_CASE("A file that cannot be replaced is named with the cause, and the old one stays") {
  const tests::TemporaryDirectory directory;
  const std::string missing = replace_file(directory.path() + "/no/status.json", "x");
  CHECK(missing.find("/no/status.json") != std::string::npos);
  CHECK(missing.find("No such file or directory") != std::string::npos);
  // A directory cannot be replaced by a file.
  std::filesystem::create_directory(directory.path() + "/status.json");
  CHECK(replace_file(directory.path() + "/status.json", "x").find("Is a directory") !=
        std::string::npos);
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/status.json.new"));
}

}  // namespace invlog::capture

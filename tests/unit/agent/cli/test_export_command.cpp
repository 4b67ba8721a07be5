#include "agent/cli/export_command.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <filesystem>
#include <sstream>

#include "agent/cli/output_file.h"
#include "agent/cli/search_command.h"
#include "storage/retention_base.h"
#include "tests/catch.h"
#include "tests/shared_files.h"
#include "tests/unit/agent/cli/example_store.h"

using namespace invlog::cli;
using invlog::tests::contains;
using invlog::tests::ExampleStore;
using invlog::tests::read_whole_file;
using invlog::tests::TemporaryDirectory;

namespace {

std::string gunzipped(const std::string& path) {
  gzFile file = gzopen(path.c_str(), "rb");
  std::string text;
  char buffer[4096];
  int size = 0;
  while ((size = gzread(file, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<std::size_t>(size));
  }
  CHECK(gzclose(file) == Z_OK);
  return text;
}

}  // namespace

TEST_CASE("what is damaged is told, and all else is exported and searched") {
  const ExampleStore store;
  const TemporaryDirectory directory;
  store.append("seven");
  store.append("eight");
  sqlite3* connection = nullptr;
  sqlite3_open(store.path().c_str(), &connection);
  CHECK(sqlite3_exec(connection,
                     "UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE id >> 24 = 2", nullptr,
                     nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
  ExportOptions options;
  options.store = store.options();
  options.output = directory.path() + "/out";
  std::ostringstream out, err;
  CHECK(run_export(options, out, err) == 1);
  const std::string text = read_whole_file(*options.output);
  CHECK(std::count(text.begin(), text.end(), '\n') == 7);
  CHECK(contains(text, "eight"));
  CHECK(contains(err.str(), "7 records in "));
  CHECK(contains(err.str(), "invlog export: record 7: "));
  CHECK(contains(err.str(), "invlog export: 1 damaged record left out"));
  SearchOptions search;
  search.store = store.options();
  search.text = "eight";
  std::ostringstream found, damage;
  CHECK(run_search(search, found, damage) == 1);
  CHECK(contains(found.str(), "8  "));
  CHECK(contains(damage.str(), "invlog search: record 7: "));
}

TEST_CASE("records in front of the first segment are told, not left out") {
  const ExampleStore store;
  store.append("seven");
  sqlite3* connection = nullptr;
  sqlite3_open(store.path().c_str(), &connection);
  CHECK(sqlite3_exec(connection, "DELETE FROM segment WHERE id = 1", nullptr, nullptr, nullptr) ==
        SQLITE_OK);
  sqlite3_close(connection);
  ExportOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  CHECK(run_export(options, out, err) == 1);
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 1);
  CHECK(contains(err.str(), "record 1 belongs to no segment"));
  CHECK(contains(err.str(), "invlog export: 6 damaged records left out"));
}

TEST_CASE("export writes a line of AWS's schema for each record") {
  const ExampleStore store;
  ExportOptions options;
  options.store = store.options();
  std::ostringstream out, err;
  REQUIRE(run_export(options, out, err) == 0);
  const std::string text = out.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == 6);
  CHECK(contains(text, "\"modelId\":\"claude\",\"errorCode\":\"ValidationException\""));
  CHECK(err.str().empty());

  options.since_us = 1'791'208'860'000'000;  // the second call
  options.until_us = *options.since_us + 1;
  std::ostringstream one;
  REQUIRE(run_export(options, one, err) == 0);
  CHECK(contains(one.str(), invlog::tests::kSecondRequestId));
  CHECK(one.str().find('\n') == one.str().size() - 1);
}

TEST_CASE("export tells that retention took records of the time that was asked for") {
  const ExampleStore store;
  invlog::storage::RetentionBase base;
  base.segment = 1;
  base.record = 2;
  const std::string sql =
      "INSERT INTO event(at, kind, count, details) VALUES (1791331200000000, 'retention', 2, "
      "'{\"base\":" +
      invlog::storage::retention_base_json(base) + "}')";
  sqlite3* connection = nullptr;
  sqlite3_open(store.path().c_str(), &connection);
  CHECK(sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  sqlite3_close(connection);
  ExportOptions options;
  options.store = store.options();
  const std::string told =
      "invlog export: not complete. Retention took records 1 to 2, most recently at "
      "2026-10-07T00:00:00Z; ";
  std::ostringstream out, err, later;
  CHECK(run_export(options, out, err) == 0);
  CHECK(err.str().starts_with(told));
  options.since_us = 1;
  err.str("");
  CHECK(run_export(options, out, err) == 0);
  CHECK(err.str().starts_with(told));
  options.since_us = 4'000'000'000'000'000;  // when all is there
  CHECK(run_export(options, out, later) == 0);
  CHECK(later.str().empty());
}

TEST_CASE(
    "an exported file is the same as the output, with gzip too, and nobody else may read it") {
  const ExampleStore store;
  const TemporaryDirectory directory;
  ExportOptions options;
  options.store = store.options();
  std::ostringstream expected, out, err;
  REQUIRE(run_export(options, expected, err) == 0);
  options.output = directory.path() + "/x.ndjson";
  options.progress_width = 80;
  REQUIRE(run_export(options, out, err) == 0);
  CHECK(out.str().empty());
  CHECK(read_whole_file(*options.output) == expected.str());
  CHECK(contains(err.str(), "exporting"));
  CHECK(contains(err.str(), "6 records in " + *options.output));
  struct stat status {};
  REQUIRE(::stat(options.output->c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);

  options.gzip = true;
  options.output = directory.path() + "/x.ndjson.gz";
  REQUIRE(run_export(options, out, err) == 0);
  CHECK(gunzipped(*options.output) == expected.str());
}

TEST_CASE("export does not replace a file of the store that it reads, by whatever name") {
  const ExampleStore store;
  const TemporaryDirectory elsewhere;
  const std::string link = elsewhere.path() + "/link", hard_link = elsewhere.path() + "/hard-link",
                    dangling = elsewhere.path() + "/dangling",
                    through = elsewhere.path() + "/directory/eu-central-1.db-shm";
  std::filesystem::create_symlink(store.path(), link);
  std::filesystem::create_hard_link(store.path(), hard_link);
  std::filesystem::create_symlink(store.path() + "-wal", dangling);
  std::filesystem::create_symlink(store.directory().path(), elsewhere.path() + "/directory");
  ExportOptions options;
  options.store = store.options();
  for (const std::string& read : {store.path(), link}) {
    options.store.store = read;
    for (const std::string& name : {store.path(), store.path() + "-wal", store.path() + "-lock",
                                    link, hard_link, dangling, through}) {
      INFO(name);
      options.output = name;
      std::ostringstream out, err;
      CHECK(run_export(options, out, err) == 2);
      CHECK(contains(err.str(), "is the store's own file " + store.path()));
    }
  }
  options.output = store.path() + ".ndjson";
  std::ostringstream out, err;
  CHECK(run_export(options, out, err) == 0);
  CHECK(contains(read_whole_file(store.path()), "SQLite format 3"));
}

TEST_CASE("a file that is not finished never shows, and leaves nothing") {
  const TemporaryDirectory directory;
  const std::string path = directory.write("out", "before");
  {
    OutputFile file(path);
    file.write("half");
  }
  CHECK(read_whole_file(path) == "before");
  {
    OutputFile file(path);
    file.write("whole");
    file.commit();
  }
  CHECK(read_whole_file(path) == "whole");
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
  CHECK_THROWS_AS(OutputFile(directory.path() + "/none/out"), std::runtime_error);
}

TEST_CASE("a link is followed and stays; what is no regular file is written straight") {
  const TemporaryDirectory directory;
  const std::string target = directory.write("target", "before");
  const std::string link = directory.path() + "/link", dangling = directory.path() + "/dangling";
  std::filesystem::create_symlink("target", link);
  std::filesystem::create_symlink(directory.path() + "/new", dangling);
  for (const std::string& path : {link, dangling}) {
    OutputFile file(path);
    file.write("whole");
    file.commit();
    CHECK(std::filesystem::is_symlink(path));
  }
  CHECK(read_whole_file(target) == "whole");
  CHECK(read_whole_file(directory.path() + "/new") == "whole");

  const std::string fifo = directory.path() + "/fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  REQUIRE(reader >= 0);
  {
    OutputFile file(fifo);
    file.write("straight");
    file.commit();
  }
  char bytes[16];
  CHECK(std::string(bytes, static_cast<std::size_t>(::read(reader, bytes, sizeof bytes))) ==
        "straight");
  ::close(reader);
  CHECK(std::filesystem::is_fifo(fifo));
  CHECK_THROWS_AS(OutputFile(directory.path()), std::runtime_error);
  std::filesystem::create_symlink("circle", directory.path() + "/circle");
  CHECK_THROWS_AS(OutputFile(directory.path() + "/circle"), std::runtime_error);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 6);
}

TEST_CASE("a signal that ends the process leaves nothing of an unfinished file") {
  const bool unnamed = GENERATE(true, false);
  const TemporaryDirectory directory;
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::signal(SIGTERM, SIG_DFL);  // Catch has a handler of its own
    OutputFile file(directory.path() + "/out", 0600, unnamed);
    file.write("half");
    const bool there = std::filesystem::is_empty(directory.path()) == unnamed;
    ::raise(there ? SIGTERM : SIGKILL);
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM));
  CHECK(std::filesystem::is_empty(directory.path()));
  OutputFile file(directory.path() + "/out", 0600, unnamed);
  file.write("whole");
  file.commit();
  CHECK(read_whole_file(directory.path() + "/out") == "whole");
}

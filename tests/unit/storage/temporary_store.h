// A store in a temporary directory that goes away with it, and records to put there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <future>
#include <memory>
#include <string>

#include "storage/record.h"
#include "storage/writer.h"

namespace invlog::storage {

class TemporaryStore {
 public:
  TemporaryStore();
  ~TemporaryStore();
  TemporaryStore(const TemporaryStore&) = delete;
  TemporaryStore& operator=(const TemporaryStore&) = delete;

  const std::filesystem::path& directory() const { return directory_; }
  std::string path() const { return directory_ / "eu-central-1.db"; }
  WriterOptions options() const;
  // Runs SQL on the file behind the writer's back.
  void tamper(const std::string& sql) const;
  // The first column of the first row, as text.
  std::string query(const std::string& sql) const;

 private:
  std::filesystem::path directory_;
};

// A PendingRecord that is already built.
class ReadyRecord : public PendingRecord {
 public:
  explicit ReadyRecord(Record record) : record_(std::move(record)) {}
  std::size_t memory_bytes() const override { return record_.memory_bytes(); }
  Record build() override { return std::move(record_); }

 private:
  Record record_;
};

Record record_with(std::string request, std::string response);
// Every field set, so that a round trip shows each.
Record full_record();
bool same_record(const Record& a, const Record& b);

// 300 records with noise(3000, id) as the request, whose details tell them:
// {"marker":"number-150-"}.
void fill_marked(const TemporaryStore& store);
// Of the file that fill_marked() made: two pages that follow each other, the first with record 150,
// become copies of one before them. SQLite does not notice, and gives smaller numbers than it was
// asked for.
void repeat_a_page_twice(const TemporaryStore& store);
// SQLite takes the page (they count from 1) for malformed when it comes to it.
void damage_page(const std::string& path, std::int64_t page);
// The page of the file that has this text.
void damage_page_of(const TemporaryStore& store, const std::string& text);

// Submits, waiting for room as long as it takes.
void submit(Writer& writer, Record record, Writer::Committed committed = {},
            Writer::IntentId intent = 0);
// Submits and waits for the commit.
bool submit_and_wait(Writer& writer, Record record, Writer::IntentId intent = 0);
Writer::IntentId submit_intent_and_wait(Writer& writer, Record record);

// Bytes that do not repeat and do not compress.
std::string noise(std::size_t size, std::uint64_t seed);
// Words; compresses like prose.
std::string prose(std::size_t size, std::uint64_t seed);

}  // namespace invlog::storage

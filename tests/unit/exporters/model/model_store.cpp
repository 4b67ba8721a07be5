#include "tests/unit/exporters/model/model_store.h"

#include <cstdlib>
#include <random>
#include <stdexcept>
#include <string_view>

#include "storage/reader.h"
#include "tests/unit/exporters/model/fault_source.h"

namespace invlog::exporters {
namespace {

constexpr std::int64_t kHourUs = 3'600'000'000;
constexpr std::int64_t kRecords = 40;
constexpr std::size_t kLargeBody = 3000;

struct TemplateOptions {
  bool large_bodies = false;
  bool damage = false;
  bool old_records = false;
};

storage::Record record_number(std::int64_t id, const TemplateOptions& options,
                              std::mt19937_64& random) {
  const bool large = options.large_bodies && random() % 6 == 0;
  storage::Record record = storage::record_with(
      "{\"n\":" + std::to_string(id) + ",\"text\":\"" +
          storage::prose(large ? kLargeBody : 50 + random() % 300, random()) + "\"}",
      "{\"answer\":\"" + storage::prose(20 + random() % 100, random()) + "\"}");
  // Twelve hours of calls that overlap, so that their ends, not their starts, are in order.
  record.started_at_us = kModelNow - 12 * kHourUs + id * (12 * kHourUs / kRecords) -
                         static_cast<std::int64_t>(random() % (kHourUs / 2));
  record.request_id = "r-" + std::to_string(id);
  return record;
}

void write_records(StoreTemplate& made, const storage::TemporaryStore& place,
                   const TemplateOptions& options, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  storage::WriterOptions writing = place.options();
  writing.segment_bytes = 6000;
  writing.commit_interval = std::chrono::milliseconds(1);
  storage::Writer writer(writing);
  for (std::int64_t id = 1; id <= kRecords; ++id) {
    storage::Record record = record_number(id, options, random);
    if (options.old_records && id % 9 == 4) {
      record.started_at_us -= 20 * 24 * kHourUs;
      made.too_old.insert(id);
    }
    storage::submit_and_wait(writer, std::move(record));
  }
  writer.stop();
  made.records = kRecords;
}

void find_damage(StoreTemplate& made) {
  auto reader = storage::Reader::open(made.path);
  if (!reader) {
    throw std::runtime_error(reader.error());
  }
  (*reader)->each(
      1, storage::Bodies::both, [](storage::StoredRecord&) { return true; },
      [&made](std::int64_t id, const std::string&) {
        made.damaged.insert(id);
        return true;
      });
}

StoreTemplate make_template(const storage::TemporaryStore& place, const TemplateOptions& options,
                            std::uint64_t seed) {
  const FaultSource::Spared spared;
  StoreTemplate made;
  made.path = place.path();
  write_records(made, place, options, seed);
  if (options.damage) {
    place.tamper("UPDATE record SET checksum = checksum + 1 WHERE id IN (1, 11, 12, 13, 40)");
    place.tamper(
        "UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE id >> 24 = (SELECT id FROM segment "
        "WHERE first_record > 20 LIMIT 1)");
  }
  find_damage(made);
  return made;
}

}  // namespace

const std::vector<StoreTemplate>& store_templates() {
  static const storage::TemporaryStore places[3];
  static const std::vector<StoreTemplate> templates = {
      make_template(places[0], {}, 1),
      make_template(places[1], {true, false, true}, 2),
      make_template(places[2], {true, true, true}, 3),
  };
  return templates;
}

std::int64_t record_in(std::string_view text) {
  constexpr std::string_view kName = "\"requestId\":\"r-";
  const std::size_t at = text.find(kName);
  return at == std::string_view::npos
             ? 0
             : std::strtoll(std::string(text.substr(at + kName.size(), 10)).c_str(), nullptr, 10);
}

ModelStore::ModelStore(const StoreTemplate& origin, std::int64_t shown)
    : origin_(origin), path_(place_.path()), shown_(shown) {
  const FaultSource::Spared spared;
  std::filesystem::copy_file(origin.path, path_);
  sqlite3* opened = nullptr;
  if (sqlite3_open(path_.c_str(), &opened) != SQLITE_OK) {
    throw std::runtime_error("cannot open " + path_);
  }
  connection_.reset(opened);
  sqlite3_busy_timeout(opened, 5000);
  execute("PRAGMA synchronous = OFF");
  sqlite3_stmt* names = nullptr;
  sqlite3_prepare_v2(opened, "SELECT group_concat(name) FROM pragma_table_info('record')", -1,
                     &names, nullptr);
  sqlite3_step(names);
  columns_ = reinterpret_cast<const char*>(sqlite3_column_text(names, 0));
  sqlite3_finalize(names);
  execute("CREATE TABLE hidden AS SELECT " + columns_ + " FROM record WHERE id > " +
          std::to_string(shown) + "; DELETE FROM record WHERE id > " + std::to_string(shown));
}

void ModelStore::show(std::int64_t last) {
  execute("INSERT INTO record(" + columns_ + ") SELECT " + columns_ + " FROM hidden WHERE id > " +
          std::to_string(shown_) + " AND id <= " + std::to_string(last));
  shown_ = last;
}

void ModelStore::remove(std::int64_t first, std::int64_t last) {
  execute("DELETE FROM record WHERE id BETWEEN " + std::to_string(first) + " AND " +
          std::to_string(last));
  for (std::int64_t id = first; id <= last; ++id) {
    removed_.insert(id);
  }
}

std::int64_t ModelStore::number(const std::string& sql) {
  sqlite3_stmt* select = nullptr;
  if (sqlite3_prepare_v2(connection_.get(), sql.c_str(), -1, &select, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection_.get()));
  }
  const std::int64_t value =
      sqlite3_step(select) == SQLITE_ROW ? sqlite3_column_int64(select, 0) : 0;
  sqlite3_finalize(select);
  return value;
}

void ModelStore::execute(const std::string& sql) {
  if (sqlite3_exec(connection_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection_.get()));
  }
}

}  // namespace invlog::exporters

#include "tests/unit/exporters/model/model_store.h"

#include <algorithm>
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
constexpr std::size_t kOverTheLimit = 1'100'000;  // of an event of CloudWatch Logs
constexpr const char* kMendable = "(1, 11, 12, 13, 40)";

// What is odd about a template's records.
struct TemplateOptions {
  bool large_bodies = false;
  bool wrong_times = false;
  bool unwelcome = false;
  bool damage = false;
  bool huge = false;
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

// As this record is told apart in `made`.
void make_odd(StoreTemplate& made, std::int64_t id, storage::Record& record,
              const TemplateOptions& options) {
  if (options.wrong_times && (id % 9 == 4 || id % 19 == 9)) {
    record.started_at_us += id % 9 == 4 ? -20 * 24 * kHourUs : 30 * 24 * kHourUs;
    made.wrong_time.insert(id);
  }
  if (options.wrong_times && id % 13 == 7) {
    record.started_at_us -= 10 * 24 * kHourUs;  // only retention may refuse it
  }
  // The configuration is suspected where they stand alone or together.
  if (options.unwelcome && ((id >= 5 && id <= 8) || id == 24 || id == 35)) {
    made.unwelcome.insert(id);
    made.wrong_time.erase(id);
  }
  if (options.huge && id == 10) {
    record.sdk_invocation_id.assign(kOverTheLimit, 'm');
    made.too_large.insert(id);
  }
  if (options.huge && id == 20) {
    record.request.bytes = "{\"text\":\"" + std::string(kOverTheLimit, 'b') + "\"}";
  }
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
    make_odd(made, id, record, options);
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
    place.tamper(std::string("UPDATE record SET checksum = checksum + 1 WHERE id IN ") + kMendable);
    made.mendable = {1, 11, 12, 13, 40};
    place.tamper(
        "UPDATE chunk SET bytes = zeroblob(length(bytes)) WHERE id >> 24 = (SELECT id FROM segment "
        "WHERE first_record > 20 LIMIT 1)");
  }
  find_damage(made);
  return made;
}

}  // namespace

const std::vector<StoreTemplate>& store_templates() {
  static const storage::TemporaryStore places[4];
  static const std::vector<StoreTemplate> templates = {
      make_template(places[0], {}, 1),
      make_template(places[1], {.large_bodies = true, .wrong_times = true, .unwelcome = true}, 2),
      make_template(places[2],
                    {.large_bodies = true, .wrong_times = true, .unwelcome = true, .damage = true},
                    3),
      make_template(places[3], {.huge = true}, 4),
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
  std::filesystem::copy_file(origin.path, path_);
  each("SELECT 0, group_concat(name) FROM pragma_table_info('record')",
       [this](std::int64_t, const std::string& names) { columns_ = names; });
  execute("CREATE TABLE hidden AS SELECT " + columns_ + " FROM record WHERE id > " +
          std::to_string(shown) + "; DELETE FROM record WHERE id > " + std::to_string(shown));
}

sqlite3* ModelStore::connection() {
  if (!connection_) {
    const FaultSource::Spared spared;
    sqlite3* opened = nullptr;
    const int result = sqlite3_open(path_.c_str(), &opened);
    connection_.reset(opened);
    if (result != SQLITE_OK) {
      throw std::runtime_error("cannot open " + path_);
    }
    sqlite3_busy_timeout(opened, 5000);
    execute("PRAGMA synchronous = OFF");
  }
  return connection_.get();
}

void ModelStore::show(std::int64_t last) {
  execute("INSERT INTO record(" + columns_ + ") SELECT " + columns_ + " FROM hidden WHERE id > " +
          std::to_string(shown_) + " AND id <= " + std::to_string(last));
  shown_ = std::max(shown_, last);
}

void ModelStore::remove(std::int64_t first, std::int64_t last) {
  const std::string from = std::to_string(first), to = std::to_string(last);
  if (has_ledger() && number("SELECT count(*) FROM delivery WHERE planned_last >= " + from +
                             " AND cursor < " + to) > 0) {
    return;
  }
  execute("DELETE FROM record WHERE id BETWEEN " + from + " AND " + to);
  for (std::int64_t id = first; id <= last; ++id) {
    removed_.insert(id);
  }
}

void ModelStore::mend() {
  execute(std::string("UPDATE record SET checksum = checksum - 1 WHERE id IN ") + kMendable);
  mended_ = true;
}

bool ModelStore::is_damaged(std::int64_t id) const {
  return origin_.damaged.count(id) != 0 && !(mended_ && origin_.mendable.count(id) != 0);
}

bool ModelStore::has_ledger() {
  has_ledger_ =
      has_ledger_ ||
      number("SELECT count(*) FROM sqlite_schema WHERE name IN ('delivery', 'dead_letter')") == 2;
  return has_ledger_;
}

std::int64_t ModelStore::number(const std::string& sql) {
  std::int64_t first = 0;
  each(sql, [&first](std::int64_t value, const std::string&) { first = value; });
  return first;
}

void ModelStore::each(const std::string& sql,
                      const std::function<void(std::int64_t, const std::string&)>& take) {
  sqlite3_stmt* select = prepared(sql);
  while (sqlite3_step(select) == SQLITE_ROW) {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(select, 1));
    take(sqlite3_column_int64(select, 0), text != nullptr ? text : "");
  }
  sqlite3_reset(select);
}

sqlite3_stmt* ModelStore::prepared(const std::string& sql) {
  auto& statement = statements_[sql];
  if (!statement) {
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(connection(), sql.c_str(), -1, &made, nullptr) != SQLITE_OK) {
      throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection()));
    }
    statement.reset(made);
  }
  return statement.get();
}

void ModelStore::disconnect() {
  statements_.clear();
  connection_.reset();
}

void ModelStore::execute(const std::string& sql) {
  if (sqlite3_exec(connection(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(connection()));
  }
}

}  // namespace invlog::exporters

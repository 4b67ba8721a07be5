// Stores for the delivery model: written once by the real Writer, then copied for each seed. Some
// records stay hidden at first and come while delivery is under way, as from a Writer.
//
// Threads: one. Processes: disconnect() before a fork, since SQLite's connections do not survive
// one. Errors: std::runtime_error.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/exporters/model/model_time.h"
#include "tests/unit/storage/temporary_store.h"

namespace invlog::exporters {

struct StoreTemplate {
  std::string path;
  std::int64_t records = 0;
  std::set<std::int64_t> damaged;   // cannot be read
  std::set<std::int64_t> mendable;  // of these
  // What CloudWatch Logs does not take:
  std::set<std::int64_t> wrong_time;  // too old or in the future
  std::set<std::int64_t> too_large;   // whatever is cut
  std::set<std::int64_t> unwelcome;   // refuses the whole batch for one of them
};

// Made at the first call, in a directory that lives as long as the process.
const std::vector<StoreTemplate>& store_templates();

// "r-17" is record 17's request id. 0: none in `text`.
std::int64_t record_in(std::string_view text);

class ModelStore {
 public:
  // `shown`: the records up to here are there from the start.
  ModelStore(const StoreTemplate& origin, std::int64_t shown);

  const StoreTemplate& origin() const { return origin_; }
  const std::string& path() const { return path_; }
  const std::filesystem::path& directory() const { return place_.directory(); }
  std::int64_t shown() const { return shown_; }

  // More records arrive.
  void show(std::int64_t last);
  // Retention takes these away; not if one of them is in a batch under way (FORMAT.md, "Delivery").
  void remove(std::int64_t first, std::int64_t last);
  bool was_removed(std::int64_t id) const { return removed_.count(id) != 0; }
  // Damage that can be undone is.
  void mend();
  bool is_damaged(std::int64_t id) const;

  bool has_ledger();
  std::int64_t number(const std::string& sql);
  // The first two columns of all rows.
  void each(const std::string& sql,
            const std::function<void(std::int64_t, const std::string&)>& take);
  void execute(const std::string& sql);
  void disconnect();

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  sqlite3* connection();
  sqlite3_stmt* prepared(const std::string& sql);

  const StoreTemplate& origin_;
  storage::TemporaryStore place_;
  std::string path_;
  std::int64_t shown_;
  std::set<std::int64_t> removed_;
  bool mended_ = false;
  bool has_ledger_ = false;
  std::string columns_;
  std::unique_ptr<sqlite3, Close> connection_;
  std::map<std::string, std::unique_ptr<sqlite3_stmt, Close>> statements_;  // of the connection
};

}  // namespace invlog::exporters

// Stores for the delivery model: written once by the real Writer, then copied for each seed. Some
// records stay hidden at first and come while delivery is under way, as from a Writer.
//
// Threads: one. Errors: std::runtime_error.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/storage/temporary_store.h"

namespace invlog::exporters {

// Now, where the model's clock starts.
constexpr std::int64_t kModelNow = 1'790'000'000'000'000;

struct StoreTemplate {
  std::string path;
  std::int64_t records = 0;
  std::set<std::int64_t> damaged;  // cannot be read
  std::set<std::int64_t> too_old;  // for CloudWatch Logs
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
  std::int64_t shown() const { return shown_; }

  // More records arrive.
  void show(std::int64_t last);
  // Retention takes these away.
  void remove(std::int64_t first, std::int64_t last);
  bool was_removed(std::int64_t id) const { return removed_.count(id) != 0; }

  std::int64_t number(const std::string& sql);
  void execute(const std::string& sql);

 private:
  struct Close {
    void operator()(sqlite3* connection) const { sqlite3_close(connection); }
  };

  const StoreTemplate& origin_;
  storage::TemporaryStore place_;
  std::string path_;
  std::int64_t shown_;
  std::set<std::int64_t> removed_;
  std::string columns_;
  std::unique_ptr<sqlite3, Close> connection_;
};

}  // namespace invlog::exporters

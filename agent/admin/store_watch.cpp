#include "agent/admin/store_watch.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "storage/moved_file.h"
#include "storage/retention_base.h"
#include "storage/statement.h"
#include "storage/store_file.h"

namespace invlog::admin {
namespace {

// Kinds are constants of ours; whatever a store holds, so many are told.
constexpr const char* kEvents =
    "SELECT kind, count(*) FROM event GROUP BY kind ORDER BY kind LIMIT 50";

std::uint64_t bytes_of_file(const std::string& path) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  return error ? 0 : size;
}

}  // namespace

const StoreFacts& StoreWatch::look(std::chrono::steady_clock::time_point now,
                                   const std::vector<std::string>& destinations) {
  if (read_at_ && now - *read_at_ < kFresh && destinations == destinations_) {
    return facts_;
  }
  destinations_ = destinations;
  try {
    facts_ = read();
  } catch (const std::exception& error) {
    close();
    facts_ = StoreFacts();
    facts_.problem = error.what();
  }
  facts_.database_bytes = bytes_of_file(path_);
  facts_.wal_bytes = bytes_of_file(storage::resolved_store_path(path_) + "-wal");
  read_at_ = now;
  return facts_;
}

void StoreWatch::close() {
  ledger_.reset();
  reader_.reset();
}

void StoreWatch::open() {
  // The agent writes a removed file again, and this one would stay as it was.
  if (reader_ && storage::file_has_moved(reader_->connection())) {
    close();
  }
  if (!reader_) {
    constexpr std::size_t kPageCache = 256 << 10;
    auto opened = storage::Reader::open(path_, {1, kPageCache});
    if (!opened) {
      throw std::runtime_error(opened.error());
    }
    reader_ = std::move(*opened);
  }
  if (!ledger_ && !destinations_.empty()) {
    ledger_ = storage::DeliveryLedger::look(reader_->connection());
    if (ledger_) {
      ledger_->give_up_when([this] { return given_up_.load(); });
    }
  }
}

StoreFacts StoreWatch::read() {
  open();
  StoreFacts facts;
  facts.last_record = reader_->last_id();
  if (ledger_) {
    const auto lost = storage::read_retention_base(reader_->connection()).undelivered;
    for (storage::DeliveryState& state : ledger_->states()) {
      if (std::find(destinations_.begin(), destinations_.end(), state.destination) ==
          destinations_.end()) {
        continue;
      }
      DestinationFacts destination;
      destination.backlog = ledger_->backlog(state.destination);
      destination.dead_letters = ledger_->count_dead_letters(state.destination);
      if (const auto found = lost.find(state.destination); found != lost.end()) {
        destination.lost = found->second;
      }
      destination.state = std::move(state);
      facts.destinations.push_back(std::move(destination));
    }
  }
  storage::Statement events(reader_->connection(), kEvents);
  while (events.step()) {
    facts.events.emplace_back(events.bytes(0), events.integer(1));
  }
  return facts;
}

}  // namespace invlog::admin

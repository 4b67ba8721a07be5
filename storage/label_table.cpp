#include "storage/label_table.h"

#include <algorithm>

#include "storage/retention_base.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

// A damaged row of `segment` may name any.
constexpr std::int64_t kMostLabels = std::int64_t{1} << 55;
constexpr std::size_t kKnownBytes = 256 * 1024;
constexpr std::size_t kReadBytes = 1024 * 1024;
constexpr std::size_t kEntryBytes = 64;  // about what the map adds to a string

}  // namespace

std::string_view cut_label(std::string_view text, std::size_t most) {
  if (text.size() <= most) {
    return text;
  }
  const auto continues = [text](std::size_t at) {
    return (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
  };
  // What has more than three such bytes in a row has no characters.
  std::size_t end = most;
  for (int back = 0; back < 3 && end > 0 && continues(end); ++back) {
    --end;
  }
  return text.substr(0, continues(end) ? most : end);
}

LabelWriter::LabelWriter(sqlite3* connection)
    : find_(connection, "SELECT id FROM label WHERE text = ?1"),
      insert_(connection,
              "INSERT INTO label(id, text) VALUES (CASE WHEN coalesce((SELECT max(id) FROM "
              "label), 0) < ?2 THEN ?2 + 1 END, ?1)"),
      connection_(connection),
      given_(
          std::min(kMostLabels,
                   std::max(read_retention_base(connection).label,
                            single_integer(connection, "SELECT max(last_label) FROM segment")))) {}

std::optional<std::int64_t> LabelWriter::intern(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  text = cut_label(text, kMostLabelBytes);
  if (const auto known = known_.find(text); known != known_.end()) {
    return known->second;
  }
  find_.bind_text(1, text);
  const bool found = find_.step();
  std::int64_t id = found ? find_.integer(0) : 0;
  find_.reset();
  if (!found) {
    insert_.bind_text(1, text).bind(2, given_).run();
    id = sqlite3_last_insert_rowid(connection_);
  }
  known_bytes_ += text.size() + kEntryBytes;
  if (known_bytes_ > kKnownBytes) {
    forget();
    known_bytes_ = text.size() + kEntryBytes;
  }
  known_.emplace(text, id);
  return id;
}

bool LabelWriter::may_be_new(std::string_view text) const {
  return !text.empty() && known_.find(cut_label(text, kMostLabelBytes)) == known_.end();
}

void LabelWriter::forget() {
  known_.clear();
  known_bytes_ = 0;
}

LabelReader::LabelReader(sqlite3* connection) : connection_(connection) {}

const std::string& LabelReader::text(std::optional<std::int64_t> id) {
  static const std::string none;
  if (!id) {
    return none;
  }
  if (const auto known = known_.find(*id); known != known_.end()) {
    return known->second;
  }
  Statement find(connection_, "SELECT text FROM main.label WHERE id = ?1");
  find.bind(1, *id);
  if (!find.step()) {
    throw StoreError("label " + std::to_string(*id) + " is missing");
  }
  const std::string_view text = find.bytes(0);
  if (known_bytes_ + text.size() + kEntryBytes > kReadBytes) {
    clear();
  }
  known_bytes_ += text.size() + kEntryBytes;
  return known_.emplace(*id, text).first->second;
}

void LabelReader::clear() {
  known_.clear();
  known_bytes_ = 0;
}

}  // namespace invlog::storage

#include "storage/integrity.h"

#include <openssl/evp.h>

#include <charconv>
#include <cstring>
#include <memory>
#include <string_view>
#include <system_error>

#include "storage/schema.h"
#include "storage/statement.h"
#include "storage/store_error.h"

namespace invlog::storage {
namespace {

constexpr std::string_view kAddedColumn = "destinations";
constexpr char kAddedTag = 6;

class Hasher {
 public:
  Hasher() : context_(EVP_MD_CTX_new()) { begin(); }

  void begin() {
    if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1) {
      throw StoreError("store: SHA-256 is not available");
    }
  }

  void bytes(std::string_view value) {
    EVP_DigestUpdate(context_.get(), value.data(), value.size());
  }

  // Eight bytes, least significant first.
  void integer(std::int64_t value) {
    char encoded[8];
    for (int i = 0; i < 8; ++i) {
      encoded[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
    }
    bytes({encoded, sizeof(encoded)});
  }

  void text(std::string_view value) {
    integer(static_cast<std::int64_t>(value.size()));
    bytes(value);
  }

  void row(const Statement& select) {
    const int columns = select.columns();
    for (int column = 0; column < columns; ++column) {
      const int type = sqlite3_column_type(select.raw(), column);
      // A column that older stores were given later: without a value it is no part of the row, as
      // before, and with one it has a type of its own, so that it never passes for the next row.
      const bool added = sqlite3_column_name(select.raw(), column) == kAddedColumn;
      if (added && type == SQLITE_NULL) {
        continue;
      }
      const char tag = added ? kAddedTag : static_cast<char>(type);
      bytes({&tag, 1});
      if (type == SQLITE_INTEGER) {
        integer(select.integer(column));
      } else if (type != SQLITE_NULL) {
        text(select.bytes(column));
      }
    }
  }

  // All rows with first <= id <= last, preceded by the table's name and followed by their number.
  void table(sqlite3* connection, std::string_view name, std::int64_t first, std::int64_t last) {
    text(name);
    Statement select(connection, "SELECT * FROM " + std::string(name) +
                                     " WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    select.bind(1, first).bind(2, last);
    std::int64_t rows = 0;
    for (; select.step(); ++rows) {
      row(select);
    }
    integer(rows);
  }

  Sha256 finish() {
    Sha256 value;
    EVP_DigestFinal_ex(context_.get(), value.data(), nullptr);
    return value;
  }

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace

Sha256 segment_digest(sqlite3* connection, const SegmentSpan& span) {
  Hasher hasher;
  hasher.text("invlog segment 1");
  for (const std::int64_t value :
       {span.id, span.first_record, span.last_record, span.after_label, span.last_label,
        span.after_event, span.last_event, span.opened_at, span.closed_at, span.stream_bytes}) {
    hasher.integer(value);
  }
  hasher.table(connection, "chunk", chunk_id(span.id, 0), chunk_id(span.id + 1, 0) - 1);
  hasher.table(connection, "record", span.first_record, span.last_record);
  hasher.table(connection, "label", span.after_label + 1, span.last_label);
  hasher.table(connection, "event", span.after_event + 1, span.last_event);
  return hasher.finish();
}

Sha256 chain_start(const std::string& region, const std::string& created_at) {
  Hasher hasher;
  hasher.text("invlog chain 1");
  hasher.text(region);
  hasher.text(created_at);
  return hasher.finish();
}

Sha256 chain_next(const Sha256& before, std::int64_t segment, const Sha256& digest) {
  Hasher hasher;
  hasher.bytes(bytes_of(before));
  hasher.integer(segment);
  hasher.bytes(bytes_of(digest));
  return hasher.finish();
}

Sha256 rows_digest(Statement& select, const Sha256& before) {
  Hasher hasher;
  Sha256 digest = before;
  while (select.step()) {
    hasher.begin();
    hasher.bytes(bytes_of(digest));
    hasher.row(select);
    digest = hasher.finish();
  }
  return digest;
}

std::string_view bytes_of(const Sha256& value) {
  return {reinterpret_cast<const char*>(value.data()), value.size()};
}

std::optional<Sha256> from_bytes(std::string_view bytes) {
  Sha256 value;
  if (bytes.size() != value.size()) {
    return std::nullopt;
  }
  std::memcpy(value.data(), bytes.data(), value.size());
  return value;
}

std::optional<Sha256> from_hex(std::string_view text) {
  Sha256 value;
  if (text.size() != 2 * value.size()) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char* const first = text.data() + 2 * i;
    if (const auto parsed = std::from_chars(first, first + 2, value[i], 16);
        parsed.ec != std::errc() || parsed.ptr != first + 2) {
      return std::nullopt;
    }
  }
  return value;
}

std::string hex(const Sha256& value) {
  std::string text;
  for (const unsigned char byte : value) {
    text.push_back("0123456789abcdef"[byte >> 4]);
    text.push_back("0123456789abcdef"[byte & 15]);
  }
  return text;
}

}  // namespace invlog::storage

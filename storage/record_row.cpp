#include "storage/record_row.h"

#include <xxhash.h>

#include <memory>
#include <new>

#include "storage/schema.h"
#include "storage/uuid.h"

namespace invlog::storage {
namespace {

// In the order of the table; read_record and insert_record follow it.
constexpr const char* kColumns =
    "id, started_at, model, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, "
    "status, outcome, error, operation, caller, profile, scope, decision, inference_region, "
    "stop_reason, identity, caller_executable, caller_pid, request_metadata, request_type, "
    "response_type, flags, duration, first_byte, request_bytes, response_bytes, checksum, "
    "request_id, sdk_invocation_id, details";
constexpr int kColumnCount = 33;  // with `destinations`, which older stores get when they are
                                  // opened for writing

constexpr std::int64_t kStream = 1;
constexpr std::int64_t kRequestJson = 2;
constexpr std::int64_t kResponseJson = 4;
constexpr std::int64_t kRequestTruncated = 8;
constexpr std::int64_t kResponseTruncated = 16;

struct FreeState {
  void operator()(XXH3_state_t* state) const { XXH3_freeState(state); }
};

std::int64_t flags_of(const Record& record) {
  return (record.stream ? kStream : 0) | (record.request.is_json ? kRequestJson : 0) |
         (record.response.is_json ? kResponseJson : 0) |
         (record.request.truncated ? kRequestTruncated : 0) |
         (record.response.truncated ? kResponseTruncated : 0);
}

std::string identifier(const Statement& select, int column) {
  const std::string_view bytes = select.bytes(column);
  return select.is_blob(column) && bytes.size() == 16 ? uuid_text(bytes) : std::string(bytes);
}

}  // namespace

LabelTexts label_texts(const Record& record) {
  // Metadata that was cut would be no JSON.
  const bool has_metadata = record.request_metadata.size() <= kMostLabelBytes;
  return {record.model_id,
          record.outcome,
          record.error_code,
          record.operation,
          record.caller,
          record.profile,
          record.scope,
          record.decision,
          record.inference_region,
          record.stop_reason,
          record.identity_arn,
          record.caller_executable,
          has_metadata ? record.request_metadata : std::string_view(),
          record.request.content_type,
          record.response.content_type,
          record.destinations};
}

std::uint64_t body_checksum(std::int64_t id, std::string_view request, std::string_view response) {
  const std::unique_ptr<XXH3_state_t, FreeState> state(XXH3_createState());
  if (!state) {
    throw std::bad_alloc();
  }
  XXH3_64bits_reset_withSeed(state.get(), static_cast<XXH64_hash_t>(id));
  XXH3_64bits_update(state.get(), request.data(), request.size());
  XXH3_64bits_update(state.get(), response.data(), response.size());
  return XXH3_64bits_digest(state.get());
}

std::string insert_record_sql() {
  std::string sql = "INSERT INTO record(" + std::string(kColumns) + ", destinations) VALUES (?1";
  for (int parameter = 2; parameter <= kColumnCount; ++parameter) {
    sql += ", ?" + std::to_string(parameter);
  }
  return sql + ")";
}

void insert_record(Statement& insert, const RecordRow& row, LabelWriter& labels) {
  const Record& record = row.record;
  const auto request_id = uuid_bytes(record.request_id);
  const auto sdk_id = uuid_bytes(record.sdk_invocation_id);
  int next = 1;
  const auto bind_integer = [&](std::optional<std::int64_t> value) { insert.bind(next++, value); };
  const LabelTexts texts = label_texts(record);
  const auto* text = texts.begin();
  const auto bind_label = [&] { bind_integer(labels.intern(*text++)); };
  const auto bind_identifier = [&](const std::optional<std::string>& uuid,
                                   const std::string& text) {
    uuid ? insert.bind_blob(next++, *uuid) : insert.bind_text_or_null(next++, text);
  };
  bind_integer(row.id);
  bind_integer(record.started_at_us);
  bind_label();
  bind_integer(record.input_tokens);
  bind_integer(record.output_tokens);
  bind_integer(record.cache_read_tokens);
  bind_integer(record.cache_write_tokens);
  bind_integer(record.status != 0 ? std::optional<std::int64_t>(record.status) : std::nullopt);
  constexpr int kLabelsInARow = 11;  // outcome to caller_executable
  for (int label = 0; label < kLabelsInARow; ++label) {
    bind_label();
  }
  bind_integer(record.caller_pid);
  bind_label();
  bind_label();
  bind_label();
  bind_integer(flags_of(record));
  bind_integer(record.duration_us);
  bind_integer(record.first_byte_us);
  bind_integer(row.request_bytes);
  bind_integer(row.response_bytes);
  bind_integer(static_cast<std::int64_t>(row.checksum));
  bind_identifier(request_id, record.request_id);
  bind_identifier(sdk_id, record.sdk_invocation_id);
  insert.bind_text_or_null(next++, record.details);
  bind_label();
  insert.run();
}

std::string select_record_sql(sqlite3* connection) {
  return "SELECT " + std::string(kColumns) +
         (has_destinations(connection) ? ", destinations" : ", NULL") +
         (has_trail(connection) ? ", (SELECT region FROM main.trail WHERE trail.record = record.id)"
                                : ", NULL") +
         " FROM main.record ";
}

RecordRow read_record(Statement& select, LabelReader& labels) {
  RecordRow row;
  Record& record = row.record;
  int next = 0;
  const auto label = [&] { return labels.text(select.optional_integer(next++)); };
  row.id = select.integer(next++);
  record.started_at_us = select.integer(next++);
  record.model_id = label();
  record.input_tokens = select.optional_integer(next++);
  record.output_tokens = select.optional_integer(next++);
  record.cache_read_tokens = select.optional_integer(next++);
  record.cache_write_tokens = select.optional_integer(next++);
  record.status = static_cast<int>(select.integer(next++));
  for (std::string* text :
       {&record.outcome, &record.error_code, &record.operation, &record.caller, &record.profile,
        &record.scope, &record.decision, &record.inference_region, &record.stop_reason,
        &record.identity_arn, &record.caller_executable}) {
    *text = label();
  }
  record.caller_pid = select.optional_integer(next++);
  record.request_metadata = label();
  record.request.content_type = label();
  record.response.content_type = label();
  const std::int64_t flags = select.integer(next++);
  record.stream = (flags & kStream) != 0;
  record.request.is_json = (flags & kRequestJson) != 0;
  record.response.is_json = (flags & kResponseJson) != 0;
  record.request.truncated = (flags & kRequestTruncated) != 0;
  record.response.truncated = (flags & kResponseTruncated) != 0;
  row.erased = (flags & kErasedFlag) != 0;
  record.duration_us = select.optional_integer(next++);
  record.first_byte_us = select.optional_integer(next++);
  row.request_bytes = select.integer(next++);
  row.response_bytes = select.integer(next++);
  row.checksum = static_cast<std::uint64_t>(select.integer(next++));
  record.request_id = identifier(select, next++);
  record.sdk_invocation_id = identifier(select, next++);
  record.details = std::string(select.bytes(next++));
  record.destinations = label();
  if (record.inference_region.empty()) {
    record.inference_region = select.bytes(next);
  }
  return row;
}

}  // namespace invlog::storage

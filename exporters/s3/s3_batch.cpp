#include "exporters/s3/s3_batch.h"

#include <utility>

#include "exporters/aws/message_text.h"
#include "exporters/s3/s3_target.h"

namespace invlog::exporters {
namespace {

constexpr std::size_t kMostHours = 24;
// Lines that wait and compression contexts, of all hours together.
constexpr std::size_t kMostWorkingBytes = 16 << 20;
constexpr std::size_t kLongestHeader = 256;

// The media type that the caller or the model gave, if it can stand in a header.
std::string content_type_of(const storage::Body& body) {
  if (body.is_json) {
    return "application/json";
  }
  const std::string type = aws::one_line(body.content_type, kLongestHeader);
  return type.empty() || type != body.content_type ? "application/octet-stream" : type;
}

}  // namespace

S3Batch::S3Batch(const S3Options& options, S3Client& client, const Origin& origin, BatchPlan plan,
                 bool resumed, bool retry)
    : options_(options),
      client_(client),
      plan_(std::move(plan)),
      resumed_(resumed),
      retry_(retry),
      store_(origin.store),
      layout_(plan_.layout(origin)),
      compressor_(plan_.compression) {
  store_.account_id = plan_.account;
}

Batch::Added S3Batch::add(const storage::StoredRecord& record) {
  const std::int64_t hour = utc_hour(record.record.started_at_us);
  if (!resumed_ && records_ > 0) {
    too_many_hours_ = too_many_hours_ || (hours_.size() >= kMostHours && hours_.count(hour) == 0);
    if (full()) {
      return Added::full;
    }
  }
  const storage::BodyPlaces places = set_apart(record);
  HourObject& object = hours_.try_emplace(hour, compressor_).first->second;
  if (object.span.last_id == 0) {
    object.span.first_id = record.id;
    object.span.first_started_at_us = record.record.started_at_us;
    object.span.retry = retry_;
  }
  object.span.last_id = record.id;
  object.host = record.host;
  object.body.append(storage::record_json(store_, record, places));
  ++records_;
  return Added::taken;
}

bool S3Batch::full() const {
  if (resumed_) {
    return false;
  }
  std::uint64_t compressed = large_body_bytes_;
  std::size_t working = 0;
  for (const auto& [hour, object] : hours_) {
    compressed += object.body.estimated_bytes();
    working += object.body.working_bytes();
  }
  return too_many_hours_ || compressed >= options_.batch_bytes || working > kMostWorkingBytes;
}

bool S3Batch::is_large(const storage::Body& body) const {
  return plan_.large_bodies && body.bytes.size() > plan_.large_body_bytes;
}

storage::BodyPlaces S3Batch::set_apart(const storage::StoredRecord& record) {
  const bool input = is_large(record.record.request), output = is_large(record.record.response);
  if (!input && !output) {
    return {};
  }
  const BodyName name = next_body_name(record);
  return {input ? set_apart(record, BodySide::input, name) : "",
          output ? set_apart(record, BodySide::output, name) : ""};
}

BodyName S3Batch::next_body_name(const storage::StoredRecord& record) {
  if (!plan_.bodies_by_request) {
    return BodyName::request_and_record;
  }
  const bool first = requests_.insert(record.record.request_id).second;
  return first ? BodyName::request : BodyName::record;
}

std::string S3Batch::set_apart(const storage::StoredRecord& record, BodySide side, BodyName name) {
  const storage::Body& body =
      side == BodySide::input ? record.record.request : record.record.response;
  LargeBody& large = large_bodies_.emplace_back();
  large.key = body_key(layout_, record, side, name);
  large.content_type = content_type_of(body);
  large.host = record.host;
  large.record = record.id;
  compressor_.append(large.bytes, body.bytes);
  large.bytes.shrink_to_fit();
  large_body_bytes_ += large.bytes.size();
  return s3_uri(options_.bucket, large.key);
}

SendResult S3Batch::send() {
  for (LargeBody& large : large_bodies_) {
    if (large.sent) {
      continue;
    }
    auto stored =
        put(large.key, large.bytes, large.content_type, large.host, large.record, large.record);
    if (!stored) {
      return tl::unexpected(std::move(stored.error()));
    }
    large.sent = true;
    std::string().swap(large.bytes);  // an assignment would keep the memory
  }
  for (auto& [hour, object] : hours_) {
    if (object.sent) {
      continue;
    }
    auto stored = put(record_key(layout_, object.span), object.body.finish(), "application/json",
                      object.host, object.span.first_id, object.span.last_id);
    if (!stored) {
      return tl::unexpected(std::move(stored.error()));
    }
    object.sent = true;
    object.body.release();
    sent_.line_bytes += object.body.line_bytes();
    if (!plan_.chain_head.empty()) {
      sent_.head = {s3_target(options_), log_folder(layout_), plan_.chain_segment};
    }
  }
  return sent_;
}

tl::expected<void, aws::ServiceFailure> S3Batch::put(const std::string& key, std::string_view bytes,
                                                     const std::string& content_type,
                                                     const std::string& host,
                                                     std::int64_t first_record,
                                                     std::int64_t last_record) {
  S3Object object{key, bytes, content_type, {}};
  if (!plan_.chain_head.empty()) {
    object.metadata.emplace_back("x-amz-meta-invlog-chain-head", plan_.chain_head);
    object.metadata.emplace_back("x-amz-meta-invlog-chain-segment",
                                 std::to_string(plan_.chain_segment));
  }
  const std::string shown_host = aws::one_line(host, kLongestHeader);
  if (!shown_host.empty()) {
    object.metadata.emplace_back(kHostHeader, shown_host);
  }
  object.metadata.emplace_back(kRecordsHeader,
                               std::to_string(first_record) + "-" + std::to_string(last_record));
  auto stored = client_.put(object);
  if (stored) {
    sent_.bytes += bytes.size();
    sent_.places.push_back(key);
    sent_.objects.push_back({s3_uri(options_.bucket, key), first_record, last_record});
  }
  return stored;
}

}  // namespace invlog::exporters

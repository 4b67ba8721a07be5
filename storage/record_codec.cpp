#include "storage/record_codec.h"

#include <zstd.h>

#include "storage/segment_decoder.h"
#include "storage/store_error.h"
#include "storage/varint.h"

namespace invlog::storage {
namespace {

constexpr int kLevel = 1;  // kept for seconds only
constexpr char kVersion = 2;

class Encoder {
 public:
  void field(const std::string& text) {
    append_varint(out, text.size());
    out += text;
  }
  void field(std::int64_t value) { append_varint(out, static_cast<std::uint64_t>(value)); }
  void field(int value) { field(std::int64_t{value}); }
  void field(bool value) { out.push_back(value ? 1 : 0); }
  void field(const std::optional<std::int64_t>& value) {
    field(value.has_value());
    field(value.value_or(0));
  }

  std::string out;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : in_(bytes) {}

  void field(std::string& text) {
    const std::uint64_t size = varint();
    require(size <= in_.size());
    text.assign(in_.substr(0, size));
    in_.remove_prefix(size);
  }
  void field(std::int64_t& value) { value = static_cast<std::int64_t>(varint()); }
  void field(int& value) { value = static_cast<int>(varint()); }
  void field(bool& value) {
    require(!in_.empty());
    value = in_.front() != 0;
    in_.remove_prefix(1);
  }
  void field(std::optional<std::int64_t>& value) {
    bool present = false;
    std::int64_t number = 0;
    field(present);
    field(number);
    value = present ? std::optional<std::int64_t>(number) : std::nullopt;
  }

 private:
  static void require(bool condition) {
    if (!condition) {
      throw StoreError("an intent row is damaged");
    }
  }
  std::uint64_t varint() {
    std::uint64_t value = 0;
    require(take_varint(in_, value));
    return value;
  }

  std::string_view in_;
};

// One list of the fields for both directions.
template <typename Codec, typename RecordType>
void visit(Codec& codec, RecordType& record, char version) {
  codec.field(record.started_at_us);
  codec.field(record.duration_us);
  codec.field(record.first_byte_us);
  codec.field(record.operation);
  codec.field(record.model_id);
  codec.field(record.profile);
  codec.field(record.scope);
  codec.field(record.decision);
  codec.field(record.inference_region);
  codec.field(record.request_id);
  codec.field(record.sdk_invocation_id);
  codec.field(record.outcome);
  codec.field(record.status);
  codec.field(record.error_code);
  codec.field(record.stop_reason);
  codec.field(record.input_tokens);
  codec.field(record.output_tokens);
  codec.field(record.cache_read_tokens);
  codec.field(record.cache_write_tokens);
  codec.field(record.stream);
  codec.field(record.identity_arn);
  codec.field(record.caller);
  codec.field(record.caller_executable);
  codec.field(record.caller_pid);
  codec.field(record.request_metadata);
  codec.field(record.details);
  if (version >= 2) {
    codec.field(record.destinations);
  }
  for (auto* body : {&record.request, &record.response}) {
    codec.field(body->bytes);
    codec.field(body->content_type);
    codec.field(body->is_json);
    codec.field(body->truncated);
  }
}

}  // namespace

std::string encode_record(const Record& record) {
  Encoder encoder;
  encoder.out.push_back(kVersion);
  visit(encoder, record, kVersion);
  std::string compressed(ZSTD_compressBound(encoder.out.size()), '\0');
  const std::size_t size = ZSTD_compress(compressed.data(), compressed.size(), encoder.out.data(),
                                         encoder.out.size(), kLevel);
  if (ZSTD_isError(size) != 0) {
    throw StoreError(std::string("store: zstd cannot compress: ") + ZSTD_getErrorName(size));
  }
  compressed.resize(size);
  return compressed;
}

Record decode_record(std::string_view bytes) {
  const unsigned long long size = ZSTD_getFrameContentSize(bytes.data(), bytes.size());
  // Two bodies and what stands around them.
  if (size == 0 || size > 3 * kMaximumBodyBytes) {
    throw StoreError("an intent row is damaged");
  }
  std::string content(size, '\0');
  if (ZSTD_decompress(content.data(), content.size(), bytes.data(), bytes.size()) != size ||
      content.front() < 1 || content.front() > kVersion) {
    throw StoreError("an intent row is damaged");
  }
  Decoder decoder(std::string_view(content).substr(1));
  Record record;
  visit(decoder, record, content.front());
  return record;
}

}  // namespace invlog::storage

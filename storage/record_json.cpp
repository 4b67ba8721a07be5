// The AWS-schema line of a record: facts/bedrock.md §1.2-1.5 for AWS's fields. Two decisions of our
// own: a failed call keeps its bodies (AWS empties `input` and `output` then; nothing may be lost
// here), and whatever AWS has no field for stands under the one key `invlog`.
#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/base64.h"
#include "storage/json_escapes.h"
#include "storage/json_writer.h"
#include "storage/reader.h"
#include "storage/time_text.h"

namespace invlog::storage {
namespace {

// One JSON object in the making; members without a value are left out.
class Object {
 public:
  explicit Object(std::string& out) : out_(out) { out_.push_back('{'); }

  void text(std::string_view name, std::string_view value) {
    if (!value.empty()) {
      key(name);
      append_json_string(out_, value);
    }
  }
  void number(std::string_view name, std::optional<std::int64_t> value) {
    if (value) {
      key(name);
      out_ += std::to_string(*value);
    }
  }
  void milliseconds(std::string_view name, std::optional<std::int64_t> microseconds) {
    if (microseconds) {
      // Not by printf, which asks the host program's locale for the decimal point.
      char text[32];
      const auto end =
          std::to_chars(text, text + sizeof(text), static_cast<double>(*microseconds) / 1000.0,
                        std::chars_format::fixed, 3);
      key(name);
      out_.append(text, end.ptr);
    }
  }
  // `list` is "a,b": an array of them.
  void texts(std::string_view name, std::string_view list) {
    if (list.empty()) {
      return;
    }
    key(name);
    for (char before = '['; !list.empty(); before = ',') {
      out_.push_back(before);
      const std::size_t end = std::min(list.find(','), list.size());
      append_json_string(out_, list.substr(0, end));
      list.remove_prefix(std::min(end + 1, list.size()));
    }
    out_.push_back(']');
  }
  void yes(std::string_view name, bool value) {
    if (value) {
      key(name);
      out_ += "true";
    }
  }
  // `json` is one JSON text; line ends in it are white space, which becomes spaces. Half a
  // surrogate pair, which is no character, becomes the one for that.
  void json(std::string_view name, std::string_view json) {
    if (!json.empty()) {
      key(name);
      const std::size_t start = out_.size();
      out_ += json;
      std::replace_if(
          out_.begin() + static_cast<std::ptrdiff_t>(start), out_.end(),
          [](char character) { return character == '\n' || character == '\r'; }, ' ');
      replace_lone_surrogates(out_, start);
    }
  }
  void base64(std::string_view name, std::string_view bytes) {
    if (!bytes.empty()) {
      key(name);
      out_.push_back('"');
      append_base64(out_, bytes);
      out_.push_back('"');
    }
  }
  Object object(std::string_view name) {
    key(name);
    return Object(out_);
  }
  void end() { out_.push_back('}'); }

 private:
  void key(std::string_view name) {
    if (!first_) {
      out_.push_back(',');
    }
    first_ = false;
    append_json_string(out_, name);
    out_.push_back(':');
  }

  std::string& out_;
  bool first_ = true;
};

// "123456789012" of "arn:aws:sts::123456789012:assumed-role/app/host"; "" of what is no such ARN.
std::string_view account_in(std::string_view arn) {
  constexpr std::size_t kDigits = 12;
  if (!arn.starts_with("arn:")) {
    return {};
  }
  for (int parts = 0; parts < 4; ++parts) {
    const std::size_t colon = arn.find(':');
    if (colon == std::string_view::npos) {
      return {};
    }
    arn.remove_prefix(colon + 1);
  }
  const std::string_view account = arn.substr(0, arn.find(':'));
  const bool digits = account.find_first_not_of("0123456789") == std::string_view::npos;
  return account.size() == kDigits && digits ? account : std::string_view();
}

// Whose credentials made the call: the identity's where that says so, since an agent may come to
// have those of another account than the one that its store belongs to.
std::string_view account_of(const StoreInformation& store, const Record& record) {
  const std::string_view account = account_in(record.identity_arn);
  return account.empty() ? std::string_view(store.account_id) : account;
}

// What the line shows of something.
std::string_view shown(const std::string& whole, const std::optional<std::string>& cut) {
  return cut ? std::string_view(*cut) : std::string_view(whole);
}

void append_cut_marks(Object& own, const Record& record, const LineCuts& cuts) {
  own.yes("inputCut", cuts.input.has_value());
  if (cuts.input) {
    own.number("inputOriginalBytes", static_cast<std::int64_t>(record.request.bytes.size()));
  }
  own.yes("outputCut", cuts.output.has_value());
  if (cuts.output) {
    own.number("outputOriginalBytes", static_cast<std::int64_t>(record.response.bytes.size()));
  }
  own.yes("requestMetadataCut", cuts.request_metadata.has_value());
  own.yes("detailsCut", cuts.details.has_value());
}

void append_own_fields(Object& line, const StoredRecord& stored, const BodyPlaces& places,
                       const LineCuts& cuts) {
  const Record& record = stored.record;
  Object own = line.object("invlog");
  own.number("id", stored.id);
  own.text("outcome", record.outcome);
  own.number("status",
             record.status != 0 ? std::optional<std::int64_t>(record.status) : std::nullopt);
  own.milliseconds("latencyMs", record.duration_us);
  own.milliseconds("firstByteMs", record.first_byte_us);
  own.yes("stream", record.stream);
  own.text("stopReason", record.stop_reason);
  own.text("profile", record.profile);
  own.text("scope", record.scope);
  own.texts("destinations", record.destinations);
  own.text("decision", record.decision);
  own.text("sdkInvocationId", record.sdk_invocation_id);
  if (!record.caller.empty() || !record.caller_executable.empty() || record.caller_pid) {
    Object caller = own.object("caller");
    caller.text("user", record.caller);
    caller.text("executable", record.caller_executable);
    caller.number("pid", record.caller_pid);
    caller.end();
  }
  own.text("host", stored.host);
  own.yes("erased", stored.erased);
  own.yes("inputTruncated", record.request.truncated);
  own.yes("outputTruncated", record.response.truncated);
  append_cut_marks(own, record, cuts);
  if (!record.request.is_json && places.input.empty()) {
    own.base64("inputBodyBase64", shown(record.request.bytes, cuts.input));
  }
  if (!record.response.is_json && places.output.empty()) {
    own.base64("outputBodyBase64", shown(record.response.bytes, cuts.output));
  }
  own.json("details", shown(record.details, cuts.details));
  own.end();
}

}  // namespace

std::string record_json(const StoreInformation& store, const StoredRecord& stored) {
  return record_json(store, stored, BodyPlaces{});
}

std::string record_json(const StoreInformation& store, const StoredRecord& stored,
                        const BodyPlaces& places) {
  return record_json(store, stored, places, LineCuts{});
}

std::string record_json(const StoreInformation& store, const StoredRecord& stored,
                        const BodyPlaces& places, const LineCuts& cuts) {
  const Record& record = stored.record;
  const std::string_view request = shown(record.request.bytes, cuts.input);
  const std::string_view response = shown(record.response.bytes, cuts.output);
  std::string out;
  out.reserve((places.input.empty() ? request.size() : 0) +
              (places.output.empty() ? response.size() : 0) + 1024);
  Object line(out);
  line.text("schemaType", "ModelInvocationLog");
  line.text("schemaVersion", "1.0");
  line.text("timestamp", iso_seconds(record.started_at_us));
  line.text("accountId", account_of(store, record));
  if (!record.identity_arn.empty()) {
    Object identity = line.object("identity");
    identity.text("arn", record.identity_arn);
    identity.end();
  }
  line.text("region", store.region);
  line.text("requestId", record.request_id);
  line.text("operation", record.operation);
  line.text("modelId", record.model_id);
  line.text("errorCode", record.error_code);
  line.json("requestMetadata", shown(record.request_metadata, cuts.request_metadata));

  Object input = line.object("input");
  input.text("inputContentType", record.request.content_type);
  input.text("inputBodyS3Path", places.input);
  if (record.request.is_json && places.input.empty()) {
    input.json("inputBodyJson", request);
  }
  input.number("inputTokenCount", record.input_tokens);
  input.number("cacheReadInputTokenCount", record.cache_read_tokens);
  input.number("cacheWriteInputTokenCount", record.cache_write_tokens);
  input.end();

  Object output = line.object("output");
  output.text("outputContentType", record.response.content_type);
  output.text("outputBodyS3Path", places.output);
  if (record.response.is_json && places.output.empty()) {
    output.json("outputBodyJson", response);
  }
  output.number("outputTokenCount", record.output_tokens);
  output.end();

  line.text("inferenceRegion", record.inference_region);
  append_own_fields(line, stored, places, cuts);
  line.end();
  return out;
}

}  // namespace invlog::storage

#include "agent/cli/privacy_command.h"

#include <fstream>
#include <iterator>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/privacy_filter.h"
#include "agent/bedrock/record_builder.h"
#include "agent/cli/store_access.h"
#include "storage/json_writer.h"

namespace invlog::cli {
namespace {

std::optional<std::string> read_input(const std::string& file, std::istream& in) {
  if (file == "-") {
    return std::string{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  std::ifstream stream(file, std::ios::binary);
  if (!stream || stream.peek() == std::ifstream::traits_type::eof()) {
    return std::nullopt;
  }
  return std::string{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

// What the agent takes out of a Converse body beside it.
std::string request_metadata_of(const std::string& body) {
  bedrock::Invocation call;
  call.method = "POST";
  call.target = "/model/any/converse";
  call.request.bytes = body;
  return bedrock::build_record(std::move(call)).request_metadata;
}

struct Kept {
  storage::Record record;
  bool had_metadata = false;
  bedrock::RuleCounts counts;
};

std::string as_json(const Kept& kept) {
  const auto& [record, had_metadata, counts] = kept;
  const storage::Body& body = record.request;
  std::string matches = "{";
  for (const auto& [rule, count] : counts) {
    storage::append_json_number(matches, rule, static_cast<long long>(count));
  }
  std::string text = "{";
  storage::append_json_raw(text, "matches", matches + "}");
  if (body.is_json) {
    storage::append_json_raw(text, "body", bedrock::compact_json(body.bytes));
  } else {
    storage::append_json_member(text, "body", body.bytes);
  }
  if (had_metadata) {
    storage::append_json_raw(text, "requestMetadata",
                             record.request_metadata.empty() ? "null" : record.request_metadata);
  }
  return text + "}\n";
}

}  // namespace

int run_privacy_test(const PrivacyTestOptions& options, std::istream& in, std::ostream& out,
                     std::ostream& err) {
  StoreOptions where;
  where.config_file = options.config_file;
  // The rest of the configuration wants a Region, which makes no difference to [privacy].
  const aws::Environment any_region = [&options](const char* name) {
    const auto value = options.environment ? options.environment(name) : std::nullopt;
    return value || std::string_view(name) != "AWS_REGION" ? value : "eu-central-1";
  };
  const auto configuration = load_configuration(where, any_region, "");
  if (!configuration) {
    err << "invlog privacy test: " << configuration.error() << '\n';
    return kUsageError;
  }
  const std::optional<std::string> input = read_input(options.file, in);
  if (!input) {
    err << "invlog privacy test: cannot read " << options.file << ", or it is empty\n";
    return kFailure;
  }
  Kept kept;
  storage::Record& record = kept.record;
  record.request.bytes = *input;
  record.request.is_json = bedrock::JsonText().parse(*input);
  storage::Record beside;  // so that what matches in both is counted once
  beside.request_metadata = request_metadata_of(*input);
  kept.had_metadata = !beside.request_metadata.empty();
  if (const auto filter = bedrock::make_privacy_filter(configuration->privacy)) {
    filter->apply(record, &kept.counts);
    filter->apply(beside);
  } else {
    err << "invlog privacy test: [privacy] is absent or keeps everything\n";
  }
  record.request_metadata = std::move(beside.request_metadata);
  if (options.json) {
    out << as_json(kept);
    return kSuccess;
  }
  out << record.request.bytes << (record.request.bytes.ends_with('\n') ? "" : "\n");
  for (const auto& [rule, count] : kept.counts) {
    err << rule << ": " << count << '\n';
  }
  if (kept.had_metadata) {
    const std::string& metadata = record.request_metadata;
    err << "request metadata: " << (metadata.empty() ? "none would be kept" : metadata) << '\n';
  }
  return kSuccess;
}

}  // namespace invlog::cli

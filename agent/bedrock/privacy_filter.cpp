#include "agent/bedrock/privacy_filter.h"

#include <xxhash.h>

#include <stdexcept>
#include <string>

#include "agent/bedrock/edit_limits.h"
#include "agent/bedrock/json_text.h"
#include "agent/bedrock/omission.h"
#include "agent/bedrock/tool_arguments.h"
#include "storage/base64.h"
#include "storage/json_writer.h"

namespace invlog::bedrock {
namespace {

using Kind = JsonTree::Kind;

std::vector<JsonPath> parse_paths(const std::vector<std::string>& texts) {
  std::vector<JsonPath> paths;
  for (const std::string& text : texts) {
    auto path = JsonPath::parse(text);
    if (!path) {
      throw std::invalid_argument(path.error());
    }
    paths.push_back(std::move(*path));
  }
  return paths;
}

// A JSON string, so that it stands readably in the record's line, whatever the body was.
void omit_body(storage::Body& body, const char* type, RuleCounts* counts) {
  const std::string_view shown =
      body.content_type.empty() ? std::string_view(type) : body.content_type;
  body.bytes = "\"" + omission(shown, body.bytes) + "\"";
  body.is_json = true;
  if (counts != nullptr) {
    ++(*counts)["omitted body"];
  }
}

void replace_with(JsonTree& tree, std::size_t node, const std::string& text,
                  std::vector<TextEdit>& edits) {
  add_limited(edits, {tree[node].begin, tree[node].end, "\"" + text + "\""});
  tree.replace(node);
}

// Makes the edits of `text` that `find(edits, counts)` appends. False, and nothing is changed or
// counted: it says that it cannot, or they are too many.
template <typename Find>
bool edit(std::string& text, RuleCounts* counts, const Find& find) {
  RuleCounts own;
  try {
    std::vector<TextEdit> edits;
    if (!find(edits, counts != nullptr ? &own : nullptr)) {
      return false;
    }
    if (!edits.empty()) {
      settle_edits(edits);
      text = edited(text, edits);
    }
  } catch (const TooManyEdits&) {
    return false;
  }
  for (const auto& [name, count] : own) {
    (*counts)[name] += count;
  }
  return true;
}

}  // namespace

PrivacyFilter::PrivacyFilter(const config::PrivacyConfig& configuration)
    : switches_{configuration.text, configuration.image, configuration.embedding,
                configuration.video, configuration.audio},
      rules_(configuration.redact, configuration.redact_patterns),
      redactor_(rules_),
      paths_(parse_paths(configuration.redact_paths)),
      metadata_only_(configuration.metadata_only),
      sample_bodies_(configuration.sample_bodies) {}

void PrivacyFilter::apply(storage::Record& record, RuleCounts* counts) const {
  const bool kept = keeps_bodies_of(record);
  for (storage::Body* body : {&record.request, &record.response}) {
    const bool stream = body == &record.response
                            ? record.stream
                            : record.operation == "InvokeModelWithBidirectionalStream";
    if (kept && stream) {
      apply_to_stream(*body, counts);
    } else if (kept) {
      apply_to_body(*body, counts);
    } else if (!body->bytes.empty()) {
      omit_body(*body, body->is_json ? "json" : "binary", counts);
    }
  }
  apply_to_details(record.details, kept, counts);
  apply_to_metadata(record.request_metadata, counts);
}

// By what is known before the call is forwarded, so that strict durability's early copy of the
// request and the finished record agree: the SDK's id of the call (its attempts share it), else the
// request and its time.
bool PrivacyFilter::keeps_bodies_of(const storage::Record& record) const {
  if (metadata_only_ || sample_bodies_ >= 1) {
    return !metadata_only_;
  }
  const std::string& id = record.sdk_invocation_id;
  const XXH64_hash_t hash =
      id.empty() ? XXH3_64bits_withSeed(record.request.bytes.data(), record.request.bytes.size(),
                                        static_cast<XXH64_hash_t>(record.started_at_us))
                 : XXH3_64bits(id.data(), id.size());
  return static_cast<double>(hash >> 11) * 0x1p-53 < sample_bodies_;
}

void PrivacyFilter::apply_to_body(storage::Body& body, RuleCounts* counts) const {
  if (body.bytes.empty()) {
    return;
  }
  if (body.is_json) {
    redact_json(body, false, counts);
    return;
  }
  // Neither switches nor paths can be applied to it: it may be a body that was cut off, or damaged.
  if (!switches_.all_on() || !paths_.empty()) {
    omit_body(body, "text", counts);
    return;
  }
  if (rules_.empty()) {
    return;
  }
  if (!is_plain_text(body.bytes)) {
    omit_body(body, "binary", counts);
    return;
  }
  const bool searched =
      edit(body.bytes, counts, [&](std::vector<TextEdit>& edits, RuleCounts* own) {
        TextRedactor(rules_).find(body.bytes, TextRedactor::Form::raw, {}, edits, own);
        return true;
      });
  if (!searched) {
    omit_body(body, "text", counts);
  }
}

// Of one that could not be read as a stream, texts are in pieces that nobody puts together.
void PrivacyFilter::apply_to_stream(storage::Body& body, RuleCounts* counts) const {
  if (body.is_json) {
    redact_json(body, true, counts);
  } else if (!body.bytes.empty() && changes_content()) {
    omit_body(body, "stream", counts);
  }
}

// What a stream broke off in: an event that is no JSON stands as a string among the others, a
// tool's input where an object should be.
void PrivacyFilter::omit_unreadable_pieces(JsonTree& tree, std::vector<TextEdit>& edits,
                                           RuleCounts* counts) const {
  const auto omit = [&](std::size_t node, const std::string& text) {
    replace_with(tree, node, text, edits);
    if (counts != nullptr) {
      ++(*counts)["omitted event"];
    }
  };
  const bool chunks = tree[0].kind == Kind::array;
  for (std::size_t node = 1; node < tree.size(); ++node) {
    if (chunks) {
      if (tree[node].kind == Kind::string) {
        const std::string text = tree.unescaped(node);
        const bool encoded = storage::base64_decode(text).has_value();
        omit(node, encoded ? omission_of_encoded("binary", text) : omission("text", text));
      }
      node = tree[node].after - 1;
    } else if (!paths_.empty() && tree.is_named(node, "toolUse")) {
      const std::size_t input = tree.member(node, "input");
      if (input != 0 && tree[input].kind == Kind::string) {
        omit(input, omission("json", tree.unescaped(input)));
      }
    }
  }
}

// CountTokens holds a body of InvokeModel's in base64, which neither switches nor paths see into.
void PrivacyFilter::omit_encoded_body(JsonTree& tree, std::vector<TextEdit>& edits,
                                      RuleCounts* counts) const {
  std::size_t node = 0;
  for (const char* name : {"input", "invokeModel", "body"}) {
    node = tree.member(node, name);
    if (node == 0 || tree[node].replaced) {
      return;
    }
  }
  if (tree[node].kind == Kind::string) {
    replace_with(tree, node, omission_of_encoded("json", tree.unescaped(node)), edits);
    if (counts != nullptr) {
      ++(*counts)["omitted body"];
    }
  }
}

// A tool's arguments that are JSON within text, which a path cannot enter. What it selects in them
// is replaced as if they stood there as JSON; of a stream, the first piece has all of them then.
void PrivacyFilter::redact_tool_arguments(JsonTree& tree, std::vector<TextEdit>& edits,
                                          RuleCounts* counts) const {
  JsonText json;
  for (const ToolArguments& arguments : find_tool_arguments(tree)) {
    std::string text;
    std::vector<std::size_t> open;
    for (const std::size_t part : arguments.parts) {
      if (!tree[part].replaced) {
        open.push_back(part);
        text += tree.unescaped(part);
      }
    }
    if (text.empty()) {
      continue;
    }
    std::optional<std::string> kept = omission("json", text);
    if (open.size() == arguments.parts.size() && json.parse(text)) {
      kept = redacted_arguments(arguments.name, text, counts);
    } else if (counts != nullptr) {
      ++(*counts)["omitted event"];
    }
    for (std::size_t part = 0; kept && part < open.size(); ++part) {
      std::string escaped;
      storage::append_json_escaped(escaped, part == 0 ? *kept : "");
      replace_with(tree, open[part], escaped, edits);
    }
  }
}

// No value: no path selects anything in them.
std::optional<std::string> PrivacyFilter::redacted_arguments(std::string_view name,
                                                             const std::string& text,
                                                             RuleCounts* counts) const {
  const std::string before = "{\"" + std::string(name) + "\":";
  std::string whole = before + text + "}";
  JsonTree tree;
  std::vector<TextEdit> edits;
  if (!tree.parse(whole)) {
    return omission("json", text);
  }
  redactor_.redact_paths(tree, paths_, edits, counts);
  if (edits.empty()) {
    return std::nullopt;
  }
  settle_edits(edits);
  whole = edited(whole, edits);
  const std::string kept = whole.substr(before.size(), whole.size() - before.size() - 1);
  edits.clear();
  TextRedactor(rules_).find(kept, TextRedactor::Form::raw, {}, edits, counts);
  return edited(kept, edits);
}

void PrivacyFilter::redact_json(storage::Body& body, bool stream, RuleCounts* counts) const {
  const auto find = [&](std::vector<TextEdit>& edits, RuleCounts* own) {
    JsonTree tree;
    if (!tree.parse(body.bytes)) {
      return false;
    }
    if (stream && changes_content()) {
      omit_unreadable_pieces(tree, edits, own);
    }
    if (!switches_.omit(tree, edits, own)) {
      return false;
    }
    if (!switches_.all_on() || !paths_.empty()) {
      omit_encoded_body(tree, edits, own);
    }
    redactor_.redact_paths(tree, paths_, edits, own);
    if (!paths_.empty()) {
      redact_tool_arguments(tree, edits, own);
    }
    redactor_.redact_values(tree, edits, own);
    return true;
  };
  if (!edit(body.bytes, counts, find)) {
    omit_body(body, "json", counts);
  }
}

// What record_builder says beside the bodies: of this, undecoded bytes and events that have no
// place in the response are content.
void PrivacyFilter::apply_to_details(std::string& details, bool bodies_kept,
                                     RuleCounts* counts) const {
  if (details.empty()) {
    return;
  }
  const auto find = [&](std::vector<TextEdit>& edits, RuleCounts* own) {
    JsonTree tree;
    if (!tree.parse(details)) {
      return false;
    }
    omit_in_details(tree, bodies_kept, edits);
    redactor_.redact_values(tree, edits, own);
    return true;
  };
  if (!edit(details, counts, find)) {
    details = "{\"omitted\":\"" + omission("json", details) + "\"}";
  }
}

void PrivacyFilter::omit_in_details(JsonTree& tree, bool bodies_kept,
                                    std::vector<TextEdit>& edits) const {
  if (const std::size_t undecoded = tree.member(0, "undecoded"); undecoded != 0) {
    replace_with(tree, undecoded, omission_of_encoded("binary", tree.unescaped(undecoded)), edits);
  }
  for (const char* events : {"otherEvents", "otherRequestEvents", "streamErrors"}) {
    if (const std::size_t list = tree.member(0, events); list != 0) {
      std::vector<std::size_t> all;
      tree.each_child(list, [&](std::size_t event) { all.push_back(event); });
      for (const std::size_t event : all) {
        omit_event(tree, event, bodies_kept, edits);
      }
    }
  }
}

void PrivacyFilter::omit_event(JsonTree& tree, std::size_t event, bool bodies_kept,
                               std::vector<TextEdit>& edits) const {
  const bool content = bodies_kept && switches_.all_on() && paths_.empty();
  const std::size_t payload = tree.member(event, "payload");
  if (payload != 0 && tree[payload].kind == Kind::string) {
    // Base64 of what is no JSON.
    replace_with(tree, payload, omission_of_encoded("binary", tree.unescaped(payload)), edits);
  } else if (payload != 0 && !content) {
    replace_with(tree, payload, omission("json", tree.raw(payload)), edits);
  }
  const std::size_t message = tree.member(event, "message");
  if (message != 0 && !content && tree[message].kind == Kind::string) {
    replace_with(tree, message, omission("text", tree.unescaped(message)), edits);
  }
}

// As the member of the body that it is, or stands for if a header brought it, so that a path means
// the same here and there.
void PrivacyFilter::apply_to_metadata(std::string& json, RuleCounts* counts) const {
  if (json.empty() || (rules_.empty() && paths_.empty())) {
    return;
  }
  constexpr std::string_view kBefore = "{\"requestMetadata\":";
  std::string whole = std::string(kBefore) + json + "}";
  bool stays = false;  // it is an object or nothing
  const auto find = [&](std::vector<TextEdit>& edits, RuleCounts* own) {
    JsonTree tree;
    if (!tree.parse(whole)) {
      return false;
    }
    redactor_.redact_paths(tree, paths_, edits, own);
    const std::size_t metadata = tree.member(0, "requestMetadata");
    stays = metadata != 0 && !tree[metadata].replaced;
    redactor_.redact_values(tree, edits, own);
    return true;
  };
  json = edit(whole, counts, find) && stays
             ? whole.substr(kBefore.size(), whole.size() - kBefore.size() - 1)
             : std::string();
}

std::shared_ptr<const PrivacyFilter> make_privacy_filter(
    const config::PrivacyConfig& configuration) {
  const ContentSwitches switches{configuration.text, configuration.image, configuration.embedding,
                                 configuration.video, configuration.audio};
  const bool everything = switches.all_on() && configuration.redact.empty() &&
                          configuration.redact_patterns.empty() &&
                          configuration.redact_paths.empty() && !configuration.metadata_only &&
                          configuration.sample_bodies >= 1;
  return everything ? nullptr : std::make_shared<const PrivacyFilter>(configuration);
}

}  // namespace invlog::bedrock

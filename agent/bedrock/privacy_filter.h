// Takes out of a record what [privacy] says is not to be kept, before anything of it reaches the
// store: bodies, details, request metadata. Token counts, model, times, caller and outcome stay.
//
// In this order: is any body kept at all; content of kinds that are switched off; paths; rules.
// What cannot be read, and so cannot be searched, is not kept, nor is what would have to be changed
// in more places than edit_limits.h allows: it gives way to its size and SHA-256.
//
// Thread: const after construction; any (the writer's). Errors: the constructor throws
// std::invalid_argument for a pattern or path that privacy_settings would refuse.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/bedrock/content_switches.h"
#include "agent/bedrock/json_path.h"
#include "agent/bedrock/json_redactor.h"
#include "agent/config/privacy_config.h"
#include "storage/record.h"

namespace invlog::bedrock {

class PrivacyFilter {
 public:
  explicit PrivacyFilter(const config::PrivacyConfig& configuration);
  PrivacyFilter(const PrivacyFilter&) = delete;
  PrivacyFilter& operator=(const PrivacyFilter&) = delete;

  // `counts`, if any, says how often what happened.
  void apply(storage::Record& record, RuleCounts* counts = nullptr) const;
  // One body, as it is kept if bodies are kept. `body.is_json` must be right.
  void apply_to_body(storage::Body& body, RuleCounts* counts = nullptr) const;
  bool keeps_bodies() const { return !metadata_only_; }

 private:
  bool keeps_bodies_of(const storage::Record& record) const;
  bool changes_content() const { return !switches_.all_on() || !paths_.empty() || !rules_.empty(); }
  void apply_to_stream(storage::Body& body, RuleCounts* counts) const;
  void redact_json(storage::Body& body, bool stream, RuleCounts* counts) const;
  void omit_unreadable_pieces(JsonTree& tree, std::vector<TextEdit>& edits,
                              RuleCounts* counts) const;
  void omit_encoded_body(JsonTree& tree, std::vector<TextEdit>& edits, RuleCounts* counts) const;
  void redact_tool_arguments(JsonTree& tree, std::vector<TextEdit>& edits,
                             RuleCounts* counts) const;
  std::optional<std::string> redacted_arguments(std::string_view name, const std::string& text,
                                                RuleCounts* counts) const;
  void apply_to_details(std::string& details, bool bodies_kept, RuleCounts* counts) const;
  void omit_in_details(JsonTree& tree, bool bodies_kept, std::vector<TextEdit>& edits) const;
  void omit_event(JsonTree& tree, std::size_t event, bool bodies_kept,
                  std::vector<TextEdit>& edits) const;
  void apply_to_metadata(std::string& json, RuleCounts* counts) const;

  const ContentSwitches switches_;
  const RedactionRules rules_;
  const JsonRedactor redactor_;
  std::vector<JsonPath> paths_;
  const bool metadata_only_;
  const double sample_bodies_;
};

// Null if everything is kept as it is: then records take no way through a filter at all.
std::shared_ptr<const PrivacyFilter> make_privacy_filter(
    const config::PrivacyConfig& configuration);

}  // namespace invlog::bedrock

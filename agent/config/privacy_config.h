// [privacy], after defaults and checks: what of a call's content is kept. Plain values; part of
// AgentConfig.
#pragma once

#include <string>
#include <vector>

namespace invlog::config {

struct PrivacyConfig {
  // What AWS's own logging has as delivery switches: false: such content is replaced by its type,
  // size and SHA-256.
  bool text = true, image = true, embedding = true, video = true, audio = true;
  std::vector<std::string> redact;           // names of bedrock::built_in_rules()
  std::vector<std::string> redact_patterns;  // regular expressions of RE2's
  std::vector<std::string> redact_paths;     // bedrock::JsonPath
  bool metadata_only = false;                // no body at all
  double sample_bodies = 1.0;                // fraction of calls whose bodies are kept, 0 to 1
  bool operator==(const PrivacyConfig&) const = default;
};

}  // namespace invlog::config

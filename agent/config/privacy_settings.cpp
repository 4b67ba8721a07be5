// [privacy].
#include <charconv>

#include "agent/bedrock/built_in_rules.h"
#include "agent/bedrock/json_path.h"
#include "agent/bedrock/redaction_rules.h"
#include "agent/config/config_file.h"
#include "agent/config/settings.h"

namespace invlog::config {
namespace {

template <bool PrivacyConfig::*member>
SettingError set_switch(AgentConfig& configuration, const SettingValues& values) {
  set_truth(configuration.privacy.*member, values.front());
  return std::nullopt;
}

SettingError set_redact(AgentConfig& configuration, const SettingValues& values) {
  for (const std::string& value : values) {
    std::string names;
    std::vector<std::string_view> known;
    for (const bedrock::BuiltInRule& rule : bedrock::built_in_rules()) {
      names.append(names.empty() ? "" : ", ").append(in_quotes(rule.name));
      known.push_back(rule.name);
    }
    if (std::find(known.begin(), known.end(), value) == known.end()) {
      return in_quotes(value) + " is none of " + names + suggestion(value, known);
    }
  }
  configuration.privacy.redact = values;
  return std::nullopt;
}

SettingError set_redact_patterns(AgentConfig& configuration, const SettingValues& values) {
  for (const std::string& value : values) {
    if (const auto problem = bedrock::pattern_problem(value)) {
      return problem;
    }
  }
  configuration.privacy.redact_patterns = values;
  return std::nullopt;
}

SettingError set_redact_paths(AgentConfig& configuration, const SettingValues& values) {
  for (const std::string& value : values) {
    if (const auto path = bedrock::JsonPath::parse(value); !path) {
      return path.error();
    }
  }
  configuration.privacy.redact_paths = values;
  return std::nullopt;
}

SettingError set_sample_bodies(AgentConfig& configuration, const SettingValues& values) {
  const std::string& text = values.front();
  double fraction = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), fraction);
  if (read.ec != std::errc{} || read.ptr != text.data() + text.size() ||
      !(fraction >= 0 && fraction <= 1)) {
    return text + " is not within 0 and 1: the fraction of calls whose bodies are kept";
  }
  configuration.privacy.sample_bodies = fraction;
  return std::nullopt;
}

Mismatches finish(AgentConfig&) {
  return {};
}

}  // namespace

const SettingsTable& privacy_table() {
  static const SettingsTable table{
      "privacy",
      {
          {"text", ValueForm::boolean, set_switch<&PrivacyConfig::text>, "true"},
          {"image", ValueForm::boolean, set_switch<&PrivacyConfig::image>, "true"},
          {"embedding", ValueForm::boolean, set_switch<&PrivacyConfig::embedding>, "true"},
          {"video", ValueForm::boolean, set_switch<&PrivacyConfig::video>, "true"},
          {"audio", ValueForm::boolean, set_switch<&PrivacyConfig::audio>, "true"},
          {"redact", ValueForm::texts, set_redact},
          {"redact_patterns", ValueForm::texts, set_redact_patterns},
          {"redact_paths", ValueForm::texts, set_redact_paths},
          {"metadata_only", ValueForm::boolean, set_switch<&PrivacyConfig::metadata_only>, "false"},
          {"sample_bodies", ValueForm::fraction, set_sample_bodies, "1"},
      },
      [](AgentConfig&) {},
      finish,
      true};
  return table;
}

}  // namespace invlog::config

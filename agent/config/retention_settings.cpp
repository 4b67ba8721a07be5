// [retention].
#include "agent/config/settings.h"
#include "agent/config/units.h"
#include "storage/retention_options.h"

namespace invlog::config {
namespace {

SettingError set_max_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(configuration.retention.max_size_bytes, values.front(),
                  storage::RetentionOptions::kSmallestSize, 1ull << 50, "16MiB and 1024TiB");
}

SettingError set_max_age(AgentConfig& configuration, const SettingValues& values) {
  constexpr std::chrono::hours kLongest(24 * 36'500);
  const auto age = parse_duration(values.front());
  if (!age) {
    return age.error();
  }
  if (*age < std::chrono::seconds(1) || *age > kLongest) {
    return in_quotes(values.front()) + " is not within 1s and 36500d";
  }
  configuration.retention.max_age = std::chrono::duration_cast<std::chrono::seconds>(*age);
  return std::nullopt;
}

SettingError set_keep_undelivered(AgentConfig& configuration, const SettingValues& values) {
  set_truth(configuration.retention.keep_undelivered, values.front());
  return std::nullopt;
}

Mismatches finish(AgentConfig&) {
  return {};
}

}  // namespace

const SettingsTable& retention_table() {
  static const SettingsTable table{
      "retention",
      {
          {"max_size", ValueForm::size, set_max_size},
          {"max_age", ValueForm::text, set_max_age},
          {"keep_undelivered", ValueForm::boolean, set_keep_undelivered, "true"},
      },
      [](AgentConfig&) {},
      finish,
      true};
  return table;
}

}  // namespace invlog::config

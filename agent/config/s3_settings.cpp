// [exporters.s3]. Rules for buckets: Amazon S3 User Guide, "General purpose bucket naming rules";
// for tags: "Categorizing your objects using tags".
#include <algorithm>

#include "agent/config/settings.h"

namespace invlog::config {
namespace {

using exporters::S3Options;

S3Options& options_of(AgentConfig& configuration) {
  return *configuration.exporters.s3;
}

// Names of another kind than a bucket's own: what stands behind them may be in another Region.
SettingError alias_problem(const std::string& name) {
  if (name.starts_with("arn:")) {
    return in_quotes(name) +
           " is an ARN: access points may lead to another Region, so write the bucket's own name";
  }
  for (const char* suffix : {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"}) {
    if (name.ends_with(suffix)) {
      return in_quotes(name) +
             " is the alias of an access point or a bucket of a special kind: write the name of a "
             "general purpose bucket";
    }
  }
  return std::nullopt;
}

SettingError set_bucket(AgentConfig& configuration, const SettingValues& values) {
  const std::string& name = values.front();
  if (const auto problem = alias_problem(name)) {
    return problem;
  }
  const auto letter_or_digit = [](char byte) {
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9');
  };
  const bool valid =
      name.size() >= 3 && name.size() <= 63 && letter_or_digit(name.front()) &&
      letter_or_digit(name.back()) && name.find("..") == std::string::npos &&
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos &&
      name.find_first_not_of("0123456789.") != std::string::npos;
  if (!valid) {
    return in_quotes(name) +
           " is no bucket's name: 3 to 63 of a-z, 0-9, '.' and '-', with a letter or digit at both "
           "ends";
  }
  options_of(configuration).bucket = name;
  return std::nullopt;
}

SettingError set_prefix(AgentConfig& configuration, const SettingValues& values) {
  constexpr std::size_t kLongest = 512;  // a key has 1,024 bytes, and ours come behind it
  std::string prefix = values.front();
  prefix.erase(0, prefix.find_first_not_of('/'));
  prefix.erase(prefix.find_last_not_of('/') + 1);
  if (prefix.size() > kLongest) {
    return std::string("it is too long: 512 bytes at most");
  }
  const bool control = std::any_of(prefix.begin(), prefix.end(), [](char byte) {
    return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f;
  });
  const std::string framed = "/" + prefix + "/";
  if (control || framed.find("/./") != std::string::npos ||
      framed.find("/../") != std::string::npos || prefix.find("//") != std::string::npos) {
    return in_quotes(values.front()) +
           " is no prefix: write names with one slash between two, for instance \"logs/bedrock\"";
  }
  options_of(configuration).prefix = prefix;
  return std::nullopt;
}

SettingError set_endpoint(AgentConfig& configuration, const SettingValues& values) {
  return set_url(options_of(configuration).endpoint, values.front());
}

SettingError set_path_style(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).path_style, values.front());
  return std::nullopt;
}

SettingError set_region_attested(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).region_attested, values.front());
  return std::nullopt;
}

SettingError set_batch_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(options_of(configuration).batch_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

SettingError set_batch_age(AgentConfig& configuration, const SettingValues& values) {
  return set_duration(options_of(configuration).batch_age, values.front());
}

SettingError set_compression(AgentConfig& configuration, const SettingValues& values) {
  using exporters::Compression;
  return choose<Compression>(
      options_of(configuration).compression, values.front(),
      {{"gzip", Compression::gzip}, {"zstd", Compression::zstd}, {"none", Compression::none}});
}

SettingError set_large_bodies(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).large_bodies, values.front());
  return std::nullopt;
}

SettingError set_large_body_size(AgentConfig& configuration, const SettingValues& values) {
  return set_size(options_of(configuration).large_body_bytes, values.front(), 1 << 10, 1ull << 30,
                  "1KiB and 1GiB");
}

SettingError set_checksum(AgentConfig& configuration, const SettingValues& values) {
  using exporters::Checksum;
  return choose<Checksum>(
      options_of(configuration).checksum, values.front(),
      {{"sha256", Checksum::sha256}, {"crc32", Checksum::crc32}, {"crc32c", Checksum::crc32c}});
}

SettingError set_encryption(AgentConfig& configuration, const SettingValues& values) {
  return choose<std::string>(
      options_of(configuration).encryption, values.front(),
      {{"AES256", "AES256"}, {"aws:kms", "aws:kms"}, {"aws:kms:dsse", "aws:kms:dsse"}});
}

SettingError set_kms_key_id(AgentConfig& configuration, const SettingValues& values) {
  const std::string& key = values.front();
  if (key.empty() || key.size() > 2048 ||
      key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:/_-") !=
          std::string::npos) {
    return in_quotes(key) + " is no key: write its id, its ARN, or \"alias/NAME\"";
  }
  options_of(configuration).kms_key_id = key;
  return std::nullopt;
}

SettingError set_bucket_key(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).bucket_key, values.front());
  return std::nullopt;
}

SettingError set_expected_bucket_owner(AgentConfig& configuration, const SettingValues& values) {
  return set_account(options_of(configuration).expected_bucket_owner, values.front());
}

SettingError set_storage_class(AgentConfig& configuration, const SettingValues& values) {
  return choose<std::string>(options_of(configuration).storage_class, values.front(),
                             {{"STANDARD", "STANDARD"},
                              {"STANDARD_IA", "STANDARD_IA"},
                              {"ONEZONE_IA", "ONEZONE_IA"},
                              {"INTELLIGENT_TIERING", "INTELLIGENT_TIERING"},
                              {"GLACIER_IR", "GLACIER_IR"},
                              {"GLACIER", "GLACIER"},
                              {"DEEP_ARCHIVE", "DEEP_ARCHIVE"},
                              {"REDUCED_REDUNDANCY", "REDUCED_REDUNDANCY"}});
}

SettingError set_tags(AgentConfig& configuration, const SettingValues& values) {
  constexpr std::size_t kMost = 10, kLongestKey = 128, kLongestValue = 256;
  std::map<std::string, std::string> tags;
  for (std::size_t at = 0; at + 1 < values.size(); at += 2) {
    const std::string& key = values[at];
    if (key.empty() || key.size() > kLongestKey || values[at + 1].size() > kLongestValue) {
      return in_quotes(key + "=" + values[at + 1]) +
             " is no tag: a key has 1 to 128 bytes, a value 256 at most";
    }
    if (key.starts_with("aws:")) {
      return in_quotes(key) + " begins with \"aws:\", which AWS keeps for itself";
    }
    if (!tags.emplace(key, values[at + 1]).second) {
      return in_quotes(key) + " stands there twice";
    }
  }
  if (tags.size() > kMost) {
    return "there are " + std::to_string(tags.size()) + " tags; an object has 10 at most";
  }
  options_of(configuration).tags = std::move(tags);
  return std::nullopt;
}

SettingError set_if_none_match(AgentConfig& configuration, const SettingValues& values) {
  set_truth(options_of(configuration).if_none_match, values.front());
  return std::nullopt;
}

SettingError set_start(AgentConfig& configuration, const SettingValues& values) {
  return choose<bool>(options_of(configuration).from_now, values.front(),
                      {{"oldest", false}, {"now", true}});
}

void add_encryption_mismatches(const S3Options& options, Mismatches& mismatches) {
  const bool kms = options.encryption.starts_with("aws:kms");
  if (!options.kms_key_id.empty() && !kms) {
    mismatches.push_back(
        {"kms_key_id",
         "it is not used " +
             (options.encryption.empty() ? std::string("without encryption")
                                         : "with " + in_quotes(options.encryption)) +
             ": set encryption = \"aws:kms\" or \"aws:kms:dsse\"",
         "encryption"});
  }
  if (options.kms_key_id.starts_with("arn:")) {
    if (const auto problem = kms_arn_problem(options.kms_key_id, options.region)) {
      mismatches.push_back({"kms_key_id", *problem, "agent.region"});
    }
  }
  if (options.bucket_key && !options.encryption.empty() && options.encryption != "aws:kms") {
    mismatches.push_back({"bucket_key",
                          "S3 has bucket keys for encryption = \"aws:kms\" only, not for " +
                              in_quotes(options.encryption),
                          "encryption"});
  }
}

Mismatches finish(AgentConfig& configuration) {
  Mismatches mismatches;
  if (!configuration.exporters.s3) {
    return mismatches;
  }
  S3Options& options = options_of(configuration);
  options.region = configuration.region;
  if (options.bucket.empty()) {
    mismatches.push_back({"bucket", "it is missing: name the bucket that the records go to"});
  }
  if (const auto problem =
          endpoint_problem("s3", options.endpoint, options.region, options.region_attested)) {
    mismatches.push_back({"endpoint", *problem, "agent.region"});
  }
  options.region_attested |= is_aws_endpoint("s3", options.endpoint, options.region);
  add_encryption_mismatches(options, mismatches);
  return mismatches;
}

}  // namespace

const SettingsTable& s3_table() {
  static const SettingsTable table{
      "exporters.s3",
      {
          {"bucket", ValueForm::text, set_bucket},
          {"prefix", ValueForm::text, set_prefix},
          {"endpoint", ValueForm::text, set_endpoint},
          {"path_style", ValueForm::boolean, set_path_style, "false"},
          {"region_attested", ValueForm::boolean, set_region_attested, "false"},
          {"batch_size", ValueForm::size, set_batch_size, "5MB"},
          {"batch_age", ValueForm::text, set_batch_age, "60s"},
          {"compression", ValueForm::text, set_compression, "gzip"},
          {"large_bodies", ValueForm::boolean, set_large_bodies, "true"},
          {"large_body_size", ValueForm::size, set_large_body_size, "100KiB"},
          {"checksum", ValueForm::text, set_checksum, "sha256"},
          {"encryption", ValueForm::text, set_encryption},
          {"kms_key_id", ValueForm::text, set_kms_key_id},
          {"bucket_key", ValueForm::boolean, set_bucket_key, "false"},
          {"expected_bucket_owner", ValueForm::text, set_expected_bucket_owner},
          {"storage_class", ValueForm::text, set_storage_class},
          {"tags", ValueForm::pairs, set_tags},
          {"if_none_match", ValueForm::boolean, set_if_none_match, "false"},
          {"start", ValueForm::text, set_start, "oldest"},
      },
      [](AgentConfig& configuration) { configuration.exporters.s3.emplace(); },
      finish,
      true};
  return table;
}

}  // namespace invlog::config

#include "exporters/s3/batch_plan.h"

#include <simdjson.h>

#include <algorithm>
#include <iterator>

#include "storage/json_writer.h"

namespace invlog::exporters {
namespace {

constexpr std::int64_t kVersion = 2;
constexpr std::int64_t kBodiesByRequest = 1;  // BatchPlan::bodies_by_request
constexpr std::size_t kLongestPlan = 16 << 10;
constexpr std::size_t kLongestPrefix = 1024;  // of a whole S3 key

struct Name {
  Compression compression;
  std::string_view text;
};
constexpr Name kNames[] = {
    {Compression::gzip, "gzip"}, {Compression::zstd, "zstd"}, {Compression::none, "none"}};

bool only(std::string_view text, std::string_view allowed) {
  return text.find_first_not_of(allowed) == std::string_view::npos;
}

bool is_proper(const BatchPlan& plan) {
  return plan.prefix.size() <= kLongestPrefix && !plan.prefix.starts_with('/') &&
         !plan.prefix.ends_with('/') &&
         (plan.account.empty() ||
          (plan.account.size() == 12 && only(plan.account, "0123456789"))) &&
         plan.chain_head.size() <= 64 && only(plan.chain_head, "0123456789abcdef") &&
         plan.chain_segment >= 0;
}

}  // namespace

BatchPlan BatchPlan::of(const S3Options& options, const Origin& origin) {
  BatchPlan plan;
  plan.prefix = options.prefix;
  plan.account = origin.store.account_id;
  plan.compression = options.compression;
  plan.large_bodies = options.large_bodies;
  plan.large_body_bytes = options.large_body_bytes;
  plan.chain_head = origin.chain_head;
  plan.chain_segment = origin.chain_segment;
  return plan;
}

std::optional<BatchPlan> BatchPlan::parse(std::string_view json) {
  if (json.size() > kLongestPlan) {
    return std::nullopt;
  }
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  std::int64_t version = 0;
  std::string_view prefix, account, compression, chain_head;
  BatchPlan plan;
  if (parser.parse(json.data(), json.size()).get_object().get(object) != simdjson::SUCCESS ||
      object["version"].get_int64().get(version) != simdjson::SUCCESS ||
      (version != kVersion && version != kBodiesByRequest) ||
      object["prefix"].get_string().get(prefix) != simdjson::SUCCESS ||
      object["account"].get_string().get(account) != simdjson::SUCCESS ||
      object["compression"].get_string().get(compression) != simdjson::SUCCESS ||
      object["largeBodies"].get_bool().get(plan.large_bodies) != simdjson::SUCCESS ||
      object["largeBodyBytes"].get_uint64().get(plan.large_body_bytes) != simdjson::SUCCESS ||
      object["chainHead"].get_string().get(chain_head) != simdjson::SUCCESS ||
      object["chainSegment"].get_int64().get(plan.chain_segment) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  const auto* const name =
      std::find_if(std::begin(kNames), std::end(kNames),
                   [compression](const Name& each) { return each.text == compression; });
  if (name == std::end(kNames)) {
    return std::nullopt;
  }
  plan.compression = name->compression;
  plan.prefix = prefix;
  plan.account = account;
  plan.chain_head = chain_head;
  plan.bodies_by_request = version == kBodiesByRequest;
  return is_proper(plan) ? std::optional(plan) : std::nullopt;
}

ObjectLayout BatchPlan::layout(const Origin& origin) const {
  return {prefix, account, origin.store.region, compression, origin.instance};
}

std::string BatchPlan::json() const {
  const auto* const name =
      std::find_if(std::begin(kNames), std::end(kNames),
                   [this](const Name& each) { return each.compression == compression; });
  std::string text = "{";
  storage::append_json_number(text, "version", bodies_by_request ? kBodiesByRequest : kVersion);
  storage::append_json_member(text, "prefix", prefix);
  storage::append_json_member(text, "account", account);
  storage::append_json_member(text, "compression", name->text);
  storage::append_json_raw(text, "largeBodies", large_bodies ? "true" : "false");
  storage::append_json_number(text, "largeBodyBytes", static_cast<long long>(large_body_bytes));
  storage::append_json_member(text, "chainHead", chain_head);
  storage::append_json_number(text, "chainSegment", chain_segment);
  return text + "}";
}

}  // namespace invlog::exporters

#include "exporters/s3/s3_destination.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "exporters/aws/endpoints.h"
#include "exporters/aws/iso_time.h"
#include "exporters/s3/batch_plan.h"
#include "exporters/s3/chain_head_search.h"
#include "exporters/s3/object_layout.h"
#include "exporters/s3/region_guard.h"
#include "exporters/s3/s3_batch.h"
#include "exporters/s3/s3_client.h"
#include "exporters/s3/s3_target.h"

namespace invlog::exporters {
namespace {

ObjectLayout layout_of(const S3Options& options, const Origin& origin) {
  return {options.prefix, origin.store.account_id, options.region, options.compression,
          origin.instance};
}

// When the store was made, Unix µs; 0 if it does not say.
std::int64_t born_us(const Origin& origin) {
  const auto born = aws::parse_iso_time(origin.store.created_at);
  return born ? std::chrono::duration_cast<std::chrono::microseconds>(born->time_since_epoch())
                    .count()
              : 0;
}

class S3Destination : public Destination {
 public:
  S3Destination(S3Options options, aws::HttpClient& http, aws::CredentialsProvider& credentials,
                aws::SystemClock clock, CallTimes times)
      : options_(std::move(options)),
        http_(http),
        credentials_(credentials),
        clock_(std::move(clock)),
        times_(std::move(times)),
        client_(options_, http, credentials, clock_) {}

  std::string name() const override { return "s3"; }

  std::string target() const override { return s3_target(options_); }

  // As after a move to the Region's VPC endpoint.
  bool is_same_target(std::string_view other) const override {
    return is_s3_target(options_, other);
  }

  tl::expected<void, aws::ServiceFailure> prove(const Origin& origin) override {
    if (auto target = check_target(options_); !target) {
      return target;
    }
    if (auto account = check_account(origin); !account) {
      return account;
    }
    return prove_region(client_);
  }

  std::unique_ptr<Batch> begin(const Origin& origin, const std::string& plan, bool retry) override {
    std::optional<BatchPlan> resumed;
    if (!plan.empty()) {
      resumed = BatchPlan::parse(plan);
      if (!resumed) {
        spdlog::warn(
            "{}: the plan of the batch under way cannot be read, so it is sent by the "
            "present configuration; its records may be there twice",
            target());
      }
    }
    return std::make_unique<S3Batch>(options_, client_, origin,
                                     resumed ? *resumed : BatchPlan::of(options_, origin),
                                     !plan.empty(), retry);
  }

  tl::expected<std::vector<KeptHead>, aws::ServiceFailure> kept_heads(
      const Origin& origin, std::int64_t since_us, const std::vector<std::string>& given) override {
    if (auto account = check_account(origin); !account) {
      return tl::unexpected(std::move(account.error()));
    }
    return ChainHeadSearch(options_, layout_of(options_, origin), http_, credentials_, clock_,
                           times_)
        .kept(since_us, born_us(origin), given);
  }

  std::string head_folder(const Origin& origin) const override {
    return log_folder(layout_of(options_, origin));
  }

  std::vector<Check> check(const Origin& origin) override;

 private:
  tl::expected<void, aws::ServiceFailure> check_account(const Origin& origin) const;
  std::vector<Check> check_objects(const Origin& origin);
  std::string resource(const Origin& origin) const;

  const S3Options options_;
  aws::HttpClient& http_;
  aws::CredentialsProvider& credentials_;
  const aws::SystemClock clock_;
  const CallTimes times_;
  S3Client client_;
};

tl::expected<void, aws::ServiceFailure> S3Destination::check_account(const Origin& origin) const {
  if (!origin.store.account_id.empty() || !is_aws_endpoint(options_)) {
    return {};
  }
  aws::ServiceFailure failure;
  failure.kind = aws::FailureKind::credentials;
  failure.message = "S3 bucket " + options_.bucket +
                    ": the account id, which is part of every object's name, is not known yet: set "
                    "account_id, or "
                    "see that sts:GetCallerIdentity works";
  return tl::unexpected(std::move(failure));
}

// What a policy statement must name.
std::string S3Destination::resource(const Origin& origin) const {
  return "arn:" + std::string(aws::partition_of(options_.region)) + ":s3:::" + options_.bucket +
         "/" + log_folder(layout_of(options_, origin)) + "*";
}

std::vector<Destination::Check> S3Destination::check(const Origin& origin) {
  std::vector<Check> checks;
  const auto region = prove(origin);
  checks.push_back(
      {"Region of bucket " + options_.bucket, region.has_value(),
       region ? (is_aws_endpoint(options_) ? options_.region : options_.region + ", as attested")
              : region.error().message,
       region ? std::nullopt : std::optional(region.error().kind)});
  if (!region) {
    checks.push_back({"s3:PutObject on " + resource(origin), false,
                      "not tried: nothing is sent to a bucket that is not proven"});
    return checks;
  }
  for (Check& each : check_objects(origin)) {
    checks.push_back(std::move(each));
  }
  return checks;
}

// PutObject of a marker shows every permission that PutObject needs in this configuration; AWS's
// answer names the action that was missing.
std::vector<Destination::Check> S3Destination::check_objects(const Origin& origin) {
  std::vector<Check> checks;
  S3Object marker;
  marker.key = permission_check_key(layout_of(options_, origin));
  const auto stored = client_.put(marker);
  const std::string message = stored ? "" : stored.error().message;
  const bool denied = !stored && stored.error().kind == aws::FailureKind::denied;
  const bool key_denied = denied && (message.find("kms:") != std::string::npos ||
                                     message.find("KMS") != std::string::npos);
  const bool tags_denied = denied && message.find("s3:PutObjectTagging") != std::string::npos;
  const auto add = [&](const std::string& action, const std::string& on, bool to_blame) {
    Check check{action + " on " + on, stored.has_value(),
                stored ? s3_uri(options_.bucket, marker.key) : message};
    if (!stored && (!denied || to_blame)) {
      check.failure = stored.error().kind;
    }
    if (denied) {
      check.detail = to_blame ? "allow " + action + " on " + on + ": " + message
                              : "not known: the request failed for another reason";
    }
    checks.push_back(std::move(check));
  };

  add("s3:PutObject", resource(origin), !key_denied && !tags_denied);
  if (!options_.tags.empty()) {
    add("s3:PutObjectTagging", resource(origin), tags_denied);
  }
  if (options_.encryption.starts_with("aws:kms") || key_denied) {  // the bucket's default, too
    add("kms:GenerateDataKey",
        options_.kms_key_id.empty() ? "the bucket's KMS key" : options_.kms_key_id, key_denied);
  }
  if (options_.if_none_match && stored) {
    const auto read = client_.head_object(marker.key);
    checks.push_back(
        {"s3:GetObject on " + resource(origin), read.has_value(),
         read ? "an object that is there already can be compared"
              : "if_none_match compares an object that is there already: " + read.error().message,
         read ? std::nullopt : std::optional(read.error().kind)});
  }
  return checks;
}

}  // namespace

std::unique_ptr<Destination> s3_destination(S3Options options, aws::HttpClient& http,
                                            aws::CredentialsProvider& credentials,
                                            aws::SystemClock clock, CallTimes times) {
  return std::make_unique<S3Destination>(std::move(options), http, credentials, std::move(clock),
                                         std::move(times));
}

}  // namespace invlog::exporters

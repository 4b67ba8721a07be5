#include "exporters/s3/chain_head_search.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace invlog::exporters {
namespace {

std::optional<std::int64_t> positive_number(std::string_view text) {
  std::int64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool all = read.ec == std::errc() && read.ptr == text.data() + text.size();
  return all && number > 0 ? std::optional(number) : std::nullopt;
}

// What the caller is told when a permission is missing.
aws::ServiceFailure needing(aws::ServiceFailure failure, const char* permission) {
  if (failure.kind == aws::FailureKind::denied) {
    failure.message += std::string("; it needs the permission ") + permission;
  }
  return failure;
}

}  // namespace

ChainHeadSearch::ChainHeadSearch(S3Options options, ObjectLayout layout, aws::HttpClient& http,
                                 aws::CredentialsProvider& credentials, aws::SystemClock clock)
    : bucket_(options.bucket),
      layout_(std::move(layout)),
      reader_(std::move(options), http, credentials, std::move(clock)) {}

tl::expected<std::vector<S3Listing::Entry>, aws::ServiceFailure> ChainHeadSearch::newest_first(
    std::int64_t since_us) {
  const std::string prefix = log_folder(layout_) + layout_.region + "/";
  const std::string after = folder_of(layout_, since_us);
  std::vector<S3Listing::Entry> found;
  std::string continuation;
  do {
    auto page = reader_.list(prefix, continuation, after);
    if (!page) {
      return tl::unexpected(needing(std::move(page.error()), "s3:ListBucket"));
    }
    for (S3Listing::Entry& entry : page->entries) {
      // Bodies are named by requests, which do not say whose they are.
      if (entry.key.find("/data/", prefix.size()) == std::string::npos) {
        found.push_back(std::move(entry));
      }
    }
    continuation = page->next;
  } while (!continuation.empty());
  std::stable_sort(found.begin(), found.end(), [](const auto& one, const auto& other) {
    return one.modified > other.modified;
  });
  return found;
}

tl::expected<std::optional<KeptHead>, aws::ServiceFailure> ChainHeadSearch::newest(
    std::int64_t since_us) {
  if (auto region = reader_.find_region(); !region) {
    return tl::unexpected(std::move(region.error()));
  }
  const auto entries = newest_first(since_us);
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  std::optional<KeptHead> newest;
  std::string_view written;
  std::size_t asked = 0;
  for (const S3Listing::Entry& entry : *entries) {
    // S3's times are whole seconds, in which several objects may have been written.
    if (newest && entry.modified != written) {
      break;
    }
    if (++asked > kMostAsked) {
      return newest ? tl::expected<std::optional<KeptHead>, aws::ServiceFailure>(newest)
                    : none_of_so_many(since_us);
    }
    auto answer = reader_.head(entry.key);
    if (!answer) {
      return tl::unexpected(needing(std::move(answer.error()), "s3:GetObject"));
    }
    auto head = head_in(entry.key, *answer);
    if (head && (!newest || head->segment > newest->segment)) {
      newest = std::move(head);
      written = entry.modified;
    }
  }
  return newest;
}

tl::unexpected<aws::ServiceFailure> ChainHeadSearch::none_of_so_many(std::int64_t since_us) const {
  aws::ServiceFailure failure;
  failure.message = s3_uri(bucket_, folder_of(layout_, since_us)) + ": none of the newest " +
                    std::to_string(kMostAsked) + " objects is this store's";
  return tl::unexpected(std::move(failure));
}

std::optional<KeptHead> ChainHeadSearch::head_in(const std::string& key,
                                                 const aws::HttpResponse& answer) const {
  const std::string_view records = answer.header("x-amz-meta-invlog-records");
  const std::size_t dash = records.find('-');
  const auto first = positive_number(records.substr(0, dash));
  const auto last = positive_number(dash == std::string_view::npos ? "" : records.substr(dash + 1));
  const auto segment = positive_number(answer.header("x-amz-meta-invlog-chain-segment"));
  if (!first || !last || !segment || !is_record_key(layout_, key, *first, *last)) {
    return std::nullopt;
  }
  return KeptHead{*segment, std::string(answer.header("x-amz-meta-invlog-chain-head")),
                  s3_uri(bucket_, key)};
}

}  // namespace invlog::exporters

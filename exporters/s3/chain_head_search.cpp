#include "exporters/s3/chain_head_search.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace invlog::exporters {
namespace {

// Somebody waits for it.
constexpr int kMostAttempts = 4;

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
                                 aws::CredentialsProvider& credentials, aws::SystemClock clock,
                                 CallTimes times)
    : bucket_(options.bucket),
      layout_(std::move(layout)),
      reader_(std::move(options), http, credentials, std::move(clock)),
      caller_(std::move(times), std::chrono::milliseconds(0), kMostAttempts) {}

tl::expected<void, aws::ServiceFailure> ChainHeadSearch::list_between(const std::string& after,
                                                                      const std::string& before,
                                                                      Entries& found) {
  const std::string prefix = log_folder(layout_) + layout_.region + "/";
  std::string continuation;
  do {
    auto page = caller_.call([&] { return reader_.list(prefix, continuation, after); });
    if (!page) {
      return tl::unexpected(needing(std::move(page.error()), "s3:ListBucket"));
    }
    for (S3Listing::Entry& entry : page->entries) {
      if (!before.empty() && entry.key >= before) {
        return {};
      }
      // Bodies are named by requests, which do not say whose they are.
      if (entry.key.find("/data/", prefix.size()) == std::string::npos) {
        found.push_back(std::move(entry));
      }
    }
    continuation = page->next;
  } while (!continuation.empty());
  return {};
}

tl::expected<ChainHeadSearch::Entries, aws::ServiceFailure> ChainHeadSearch::newest_first(
    std::int64_t since_us, std::int64_t born_us) {
  constexpr std::int64_t kHourUs = 3'600'000'000;
  Entries found;
  std::string before;
  std::int64_t from_us = since_us;
  // Each step back is twice the last, so that a long-lived store's whole bucket is not listed.
  for (std::int64_t step_us = kHourUs;; step_us *= 2) {
    std::string after = folder_of(layout_, from_us);
    if (auto listed = list_between(after, before, found); !listed) {
      return tl::unexpected(std::move(listed.error()));
    }
    if (found.size() >= kMostAsked || utc_hour(from_us) <= utc_hour(born_us)) {
      break;
    }
    before = std::move(after);
    from_us = std::max(born_us, from_us - step_us);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& one, const auto& other) {
    return one.modified > other.modified;
  });
  return found;
}

tl::expected<std::vector<KeptHead>, aws::ServiceFailure> ChainHeadSearch::kept(
    std::int64_t since_us, std::int64_t born_us, const std::vector<std::string>& given) {
  if (auto region = caller_.call([&] { return reader_.find_region(); }); !region) {
    return tl::unexpected(std::move(region.error()));
  }
  const auto entries = newest_first(since_us, born_us);
  if (!entries) {
    return tl::unexpected(entries.error());
  }
  std::vector<KeptHead> heads;
  // S3's times are whole seconds, in which several objects may have been written.
  std::string_view newest_written;
  for (std::size_t at = 0; at < entries->size() && at < kMostAsked; ++at) {
    const S3Listing::Entry& entry = (*entries)[at];
    auto asked = ask(entry.key);
    if (!asked) {
      return tl::unexpected(std::move(asked.error()));
    }
    std::optional<KeptHead>& head = *asked;
    const auto same = [&head](const KeptHead& one) { return one.is_same_as(*head); };
    if (!head || std::any_of(heads.begin(), heads.end(), same)) {
      continue;
    }
    if (heads.empty()) {
      newest_written = entry.modified;
    }
    heads.push_back(*std::move(head));
    if (entry.modified == newest_written && heads.back().segment > heads.front().segment) {
      std::swap(heads.front(), heads.back());
    }
  }
  if (heads.empty() && entries->size() > kMostAsked) {
    auto known = find_given(given);
    if (!known) {
      return tl::unexpected(std::move(known.error()));
    }
    if (!*known) {
      return none_of_so_many(since_us);
    }
    heads.push_back(**std::move(known));
    heads.back().by_ledger = true;
  }
  return heads;
}

tl::expected<std::optional<KeptHead>, aws::ServiceFailure> ChainHeadSearch::find_given(
    const std::vector<std::string>& given) {
  // It may have been pointed to another bucket, or prefix, before.
  const std::string folder = s3_uri(bucket_, log_folder(layout_) + layout_.region + "/");
  const std::size_t key_begin = s3_uri(bucket_, "").size();
  std::size_t asked = 0;
  for (const std::string& place : given) {
    if (!place.starts_with(folder) || place.find("/data/", folder.size()) != std::string::npos) {
      continue;
    }
    if (++asked > kMostGivenAsked) {
      break;
    }
    auto head = ask(place.substr(key_begin));
    if (!head || *head) {
      return head;
    }
  }
  return std::nullopt;
}

tl::expected<std::optional<KeptHead>, aws::ServiceFailure> ChainHeadSearch::ask(
    const std::string& key) {
  auto answer = caller_.call([&] { return reader_.head(key); });
  if (!answer && answer.error().kind == aws::FailureKind::not_found) {
    return std::nullopt;  // a lifecycle rule took it
  }
  if (!answer) {
    return tl::unexpected(needing(std::move(answer.error()), "s3:GetObject"));
  }
  return head_in(key, *answer);
}

tl::unexpected<aws::ServiceFailure> ChainHeadSearch::none_of_so_many(std::int64_t since_us) const {
  aws::ServiceFailure failure;
  failure.message = s3_uri(bucket_, folder_of(layout_, since_us)) + ": none of the newest " +
                    std::to_string(kMostAsked) +
                    " objects is this store's, nor has one that it knows of a head";
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
                  s3_uri(bucket_, key), false};
}

}  // namespace invlog::exporters

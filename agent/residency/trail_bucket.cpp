#include "agent/residency/trail_bucket.h"

#include <utility>

#include "agent/residency/trail_files.h"
#include "agent/residency/trail_text.h"
#include "exporters/s3/object_layout.h"

namespace invlog::residency {
namespace {

std::string with_permission(const aws::ServiceFailure& failure, const char* permission) {
  return failure.message + (failure.kind == aws::FailureKind::denied
                                ? std::string("; it needs the permission ") + permission
                                : "");
}

}  // namespace

std::optional<BucketPlace> parse_bucket_place(const std::string& text) {
  constexpr std::string_view kScheme = "s3://";
  if (!text.starts_with(kScheme)) {
    return std::nullopt;
  }
  const std::string rest = text.substr(kScheme.size());
  const std::size_t slash = rest.find('/');
  BucketPlace place{rest.substr(0, slash),
                    slash == std::string::npos ? "" : rest.substr(slash + 1)};
  const bool plain =
      !place.bucket.empty() &&
      place.bucket.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-") == std::string::npos;
  return plain ? std::optional(std::move(place)) : std::nullopt;
}

TrailBucket::TrailBucket(exporters::S3ObjectReader& reader, BucketPlace place, std::string region,
                         exporters::CallTimes times)
    : reader_(reader),
      place_(std::move(place)),
      region_(std::move(region)),
      caller_(std::move(times), std::chrono::milliseconds(0)) {}

std::string TrailBucket::name() const {
  return exporters::s3_uri(place_.bucket, place_.prefix);
}

tl::expected<exporters::S3Listing, std::string> TrailBucket::next_page(
    const std::string& continuation) {
  auto page = caller_.call([&] { return reader_.list(place_.prefix, continuation); });
  if (!page) {
    return tl::unexpected(with_permission(page.error(), "s3:ListBucket"));
  }
  return *std::move(page);
}

tl::expected<void, std::string> TrailBucket::read(TrailSink& sink) {
  const auto found = caller_.call([&] { return reader_.find_region(); });
  if (!found) {
    return tl::unexpected(found.error().message);
  }
  std::string continuation;
  do {
    const auto page = next_page(continuation);
    if (!page) {
      return tl::unexpected(page.error());
    }
    for (const exporters::S3Listing::Entry& entry : page->entries) {
      listed_ += may_have_events(entry.key, region_) ? 1 : 0;
    }
    for (const exporters::S3Listing::Entry& entry : page->entries) {
      if (sink.stopped()) {
        return {};
      }
      if (may_have_events(entry.key, region_)) {
        read_object(entry, sink);
      }
    }
    continuation = page->next;
  } while (!continuation.empty());
  if (objects_ == 0) {
    return tl::unexpected(name() + ": no object there is called .json or .json.gz and is of " +
                          region_ + "; name the prefix that a trail's files are under");
  }
  return {};
}

void TrailBucket::read_object(const exporters::S3Listing::Entry& entry, TrailSink& sink) {
  const std::string where = exporters::s3_uri(place_.bucket, entry.key);
  sink.progress({objects_++, listed_,
                 std::to_string(objects_) + " objects, " + std::to_string(bytes_ >> 20) + " MiB"});
  if (entry.bytes > kMostObjectBytes) {
    sink.problem({where, std::nullopt, "it is longer than 64 MiB; download it, and name the file"});
    return;
  }
  const aws::ServiceResult object = caller_.call([&] { return reader_.get(entry.key); });
  if (!object) {
    sink.problem({where, std::nullopt, with_permission(object.error(), "s3:GetObject")});
    return;
  }
  bytes_ += object->body.size();
  TrailText text(where, sink);
  text.feed(object->body);
  text.finish();
}

}  // namespace invlog::residency

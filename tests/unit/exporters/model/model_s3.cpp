#include "tests/unit/exporters/model/model_s3.h"

#include "exporters/s3/s3_destination.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

namespace invlog::exporters {
namespace {

aws::HttpResponse error(int status, const std::string& code) {
  return {status,
          {{"x-amz-bucket-region", "eu-central-1"}},
          "<Error><Code>" + code + "</Code><Message>on purpose</Message></Error>"};
}

}  // namespace

std::unique_ptr<Destination> ModelS3::connect() {
  if (!configured_) {
    constexpr Compression kCompressions[] = {Compression::none, Compression::none,
                                             Compression::gzip, Compression::zstd};
    options_ = test_options();
    options_.compression = kCompressions[faults_.below(4)];
    options_.batch_bytes = static_cast<std::uint64_t>(2000 + faults_.below(6000));
    options_.large_body_bytes = static_cast<std::uint64_t>(1000 + faults_.below(3000));
    options_.prefix = faults_.below(3) == 0 ? "other" : "";
    options_.if_none_match = faults_.below(3) == 0;
  }
  return s3_destination(options_, *this, credentials_,
                        [this] { return ModelTime::point(time_.host_us()); });
}

int ModelS3::copies(std::int64_t record) const {
  const auto found = keys_.find(record);
  return found == keys_.end() ? 0 : static_cast<int>(found->second.size());
}

std::string ModelS3::verdict(const ModelStore& store, const DeadReasons& dead) const {
  for (std::int64_t id = 1; id <= store.shown(); ++id) {
    const bool damaged = store.is_damaged(id);
    const std::string name = "S3: record " + std::to_string(id);
    if (store.was_removed(id)) {
      continue;
    }
    if (copies(id) != (damaged ? 0 : 1)) {
      return name + " is there " + std::to_string(copies(id)) + " times";
    }
    if ((dead.count(id) != 0) != damaged) {
      return name +
             (damaged ? " is damaged but no dead letter" : " is a dead letter: " + dead.at(id));
    }
    if (damaged && dead.at(id).find("damaged") == std::string::npos) {
      return name + " died of something else: " + dead.at(id);
    }
  }
  return dangling_pointer();
}

// What a line points at is there.
std::string ModelS3::dangling_pointer() const {
  for (const auto& [key, object] : s3_.objects) {
    const std::string text = records_.count(key) != 0 ? decompressed(key, object.bytes) : "";
    const std::string pointer = "BodyS3Path\":\"s3://records-eu/";
    for (auto at = text.find(pointer); at != std::string::npos; at = text.find(pointer, at + 1)) {
      const std::size_t start = at + pointer.size();
      if (s3_.objects.count(text.substr(start, text.find('"', start) - start)) == 0) {
        return "S3: " + key + " points at a body that is not there";
      }
    }
  }
  return "";
}

aws::HttpResponse ModelS3::perform(const aws::HttpRequest& request, int) {
  if (is_skewed(request)) {
    aws::HttpResponse skewed = error(403, "RequestTimeTooSkewed");
    skewed.headers.clear();
    return skewed;
  }
  s3_.signing_time = signing_time(request);
  aws::HttpResponse answer = *s3_.send(request);
  const FakeS3::Call call = std::move(s3_.calls.back());
  s3_.calls.clear();
  if (answer.status == 400) {
    trouble = "S3 found fault with " + call.method + " " + call.key + ": " + answer.body;
  }
  if (answer.status == 200 && call.method == "PUT" &&
      call.key.find("/data/") == std::string::npos) {
    keep_books(call.key);
  }
  return answer;
}

void ModelS3::keep_books(const std::string& key) {
  std::vector<std::int64_t>& records = records_[key];
  for (const std::int64_t record : records) {
    keys_[record].erase(key);
  }
  records.clear();
  for (const std::string& line : lines_of(decompressed(key, s3_.objects.at(key).bytes))) {
    const std::int64_t record = record_in(line);
    records.push_back(record);
    keys_[record].insert(key);
    if (keys_[record].size() > 1) {
      trouble = "S3: record " + std::to_string(record) + " is in two objects";
    }
  }
}

aws::HttpResponse ModelS3::refusal(int kind) {
  switch (kind) {
    case 0:
      return slowed(error(503, "SlowDown"));
    case 1:
      return error(500, "InternalError");
    case 2:
      return error(400, "ExpiredToken");
    case 3:
      return error(403, "AccessDenied");
    case 4:
      return elsewhere("<Error><Code>PermanentRedirect</Code></Error>");
    case 5:
      return error(409, "ConditionalRequestConflict");
    case 6:
      return error(404, "NoSuchBucket");
    default:
      return error(400, "InvalidRequest");
  }
}

}  // namespace invlog::exporters

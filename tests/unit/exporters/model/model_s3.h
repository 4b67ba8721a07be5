// S3 in the delivery model: FakeS3, which enforces signature, clock, checksum and If-None-Match,
// and the books of which record is in which object.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exporters/s3/s3_options.h"
#include "tests/unit/exporters/model/model_service.h"
#include "tests/unit/exporters/s3/fake_s3.h"

namespace invlog::exporters {

class ModelS3 : public ModelService {
 public:
  using ModelService::ModelService;

  std::unique_ptr<Destination> connect() override;
  int copies(std::int64_t record) const override;
  std::string verdict(const ModelStore& store, const DeadReasons& dead) const override;

 protected:
  aws::HttpResponse perform(const aws::HttpRequest& request, int oddity) override;
  aws::HttpResponse refusal(int kind) override;

 private:
  void keep_books(const std::string& key);
  std::string dangling_pointer() const;

  FakeS3 s3_;
  S3Options options_;
  std::map<std::string, std::vector<std::int64_t>> records_;  // by object
  std::map<std::int64_t, std::set<std::string>> keys_;        // by record
};

}  // namespace invlog::exporters

// The other side of the network in the delivery model: a fake service that keeps what it took, with
// faults before and after each call, and the books of which record is where.
//
// Threads: one. It lives on when destination and Shipper are gone, as a service does.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"
#include "exporters/destination.h"
#include "tests/unit/exporters/model/fault_source.h"
#include "tests/unit/exporters/model/model_store.h"
#include "tests/unit/exporters/s3/fake_s3.h"

namespace invlog::exporters {

class ModelService : public aws::HttpClient {
 public:
  explicit ModelService(FaultSource& faults) : faults_(faults) {}

  // A new one, as after a restart, perhaps with another configuration.
  virtual std::unique_ptr<Destination> connect() = 0;
  // How often the record is there now.
  virtual int copies(std::int64_t record) const = 0;
  // What is wrong at the end, "" nothing.
  virtual std::string verdict(const ModelStore& store,
                              const std::set<std::int64_t>& dead) const = 0;
  // What must not be at any time, "" nothing.
  std::string trouble;

  aws::HttpResult send(const aws::HttpRequest& request) final;

 protected:
  virtual aws::HttpResult perform(const aws::HttpRequest& request) = 0;
  // An answer instead of the call.
  virtual aws::HttpResult refusal(int kind) = 0;
  static constexpr int kRefusals = 8;

  FaultSource& faults_;
};

// Fails now and then, as a metadata service does.
class ModelCredentials : public aws::CredentialsProvider {
 public:
  explicit ModelCredentials(FaultSource& faults) : faults_(faults) {}
  aws::ProvideResult provide() override;

 private:
  FaultSource& faults_;
};

class ModelS3 : public ModelService {
 public:
  explicit ModelS3(FaultSource& faults) : ModelService(faults) {}

  std::unique_ptr<Destination> connect() override;
  int copies(std::int64_t record) const override;
  std::string verdict(const ModelStore& store, const std::set<std::int64_t>& dead) const override;

 protected:
  aws::HttpResult perform(const aws::HttpRequest& request) override;
  aws::HttpResult refusal(int kind) override;

 private:
  void keep_books(const std::string& key);

  FakeS3 s3_;
  ModelCredentials credentials_{faults_};
  std::map<std::string, std::vector<std::int64_t>> records_;  // by object
  std::map<std::int64_t, std::set<std::string>> keys_;        // by record
};

}  // namespace invlog::exporters

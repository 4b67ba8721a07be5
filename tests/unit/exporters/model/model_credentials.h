// Credentials that are missing now and then, as from a metadata service that does not answer.
// Threads: one.
#pragma once

#include "exporters/aws/credentials.h"
#include "tests/unit/exporters/model/fault_source.h"
#include "tests/unit/exporters/s3/s3_fixture.h"

namespace invlog::exporters {

class ModelCredentials : public aws::CredentialsProvider {
 public:
  explicit ModelCredentials(FaultSource& faults) : faults_(faults) {}

  aws::ProvideResult provide() override {
    if (faults_.strikes(0.5)) {
      return tl::unexpected(std::string("the metadata service gives expired credentials"));
    }
    return test_credentials();
  }

 private:
  FaultSource& faults_;
};

}  // namespace invlog::exporters

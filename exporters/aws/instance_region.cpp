#include "exporters/aws/instance_region.h"

#include <fstream>

#include "exporters/aws/endpoints.h"
#include "exporters/aws/imds_client.h"

namespace invlog::aws {
namespace {

bool is_instance(const std::string& firmware) {
  for (const char* name : {"/sys_vendor", "/board_vendor"}) {
    std::ifstream file(firmware + name);
    std::string vendor;
    if (std::getline(file, vendor) && trimmed_answer(vendor) == "Amazon EC2") {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string instance_region(const ChainOptions& options, const std::string& firmware) {
  if (value_of(options.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT").empty() &&
      !is_instance(firmware)) {
    return "";
  }
  ImdsClient client(options);
  if (!client.enabled()) {
    return "";
  }
  const auto answer = client.get("/latest/meta-data/placement/region", "the Region");
  if (!answer || answer->status != 200) {
    return "";
  }
  const std::string_view region = trimmed_answer(answer->body);
  return is_region_name(region) ? std::string(region) : "";
}

}  // namespace invlog::aws

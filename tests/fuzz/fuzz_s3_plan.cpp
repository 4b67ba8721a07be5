// A stored plan of an S3 batch: any bytes are a plan that can be written down and read again as
// itself, with keys and headers of the proper form, or no plan. The same bytes as an endpoint: what
// is taken for a host is nothing but a host.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "exporters/s3/batch_plan.h"
#include "exporters/s3/endpoint_host.h"

using namespace invlog::exporters;

namespace {

void demand(bool condition) {
  if (!condition) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (const auto plan = BatchPlan::parse(bytes)) {
    demand(plan->account.find_first_not_of("0123456789") == std::string::npos);
    demand(plan->chain_head.find_first_not_of("0123456789abcdef") == std::string::npos);
    demand(!plan->prefix.starts_with('/') && !plan->prefix.ends_with('/'));
    const std::string json = plan->json();
    const auto again = BatchPlan::parse(json);
    demand(again && again->json() == json);
  }
  const std::string host = host_of_endpoint(bytes);
  demand(host.find_first_of("/?#@[] \r\n") == std::string::npos);
  demand(region_of_host("s3", host).size() <= host.size());
  is_aws_host(bytes);
  region_of_host("s3", bytes);
  return 0;
}

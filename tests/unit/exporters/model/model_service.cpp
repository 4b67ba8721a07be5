#include "tests/unit/exporters/model/model_service.h"

namespace invlog::exporters {
namespace {

using aws::HttpFailure;

aws::HttpResult broken() {
  return tl::unexpected(HttpFailure{HttpFailure::Kind::broken, "connection reset by peer"});
}

aws::HttpResult timed_out() {
  return tl::unexpected(HttpFailure{HttpFailure::Kind::timeout, "no answer in 60 s"});
}

}  // namespace

aws::HttpResult ModelService::send(const aws::HttpRequest& request) {
  faults_.may_kill(0.3);
  if (faults_.strikes()) {
    const int kind = faults_.below(kRefusals + 2);
    return kind == kRefusals ? broken() : kind == kRefusals + 1 ? timed_out() : refusal(kind);
  }
  aws::HttpResult answer = perform(request);
  faults_.may_kill(0.3);
  if (faults_.strikes()) {
    switch (faults_.below(3)) {
      case 0:
        return broken();
      case 1:
        return timed_out();
      default:
        return aws::HttpResponse{500, {}, ""};
    }
  }
  return answer;
}

aws::ProvideResult ModelCredentials::provide() {
  if (faults_.strikes(0.5)) {
    return tl::unexpected(std::string("the metadata service gives expired credentials"));
  }
  aws::Credentials credentials;
  credentials.access_key_id = "AKIDEXAMPLE";
  credentials.secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
  credentials.source = "test";
  return credentials;
}

}  // namespace invlog::exporters

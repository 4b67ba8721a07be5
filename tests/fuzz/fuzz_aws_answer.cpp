// What an AWS service, or whatever sits at its address, answers. The first byte chooses: an error
// (its status, then the values of three headers, a line each, then the body), or an answer of STS.
// Whatever comes, messages are short and printable, waits are bounded, credentials fit into a
// header, and nothing is left to cut of a body whose repeated request was cut.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "exporters/aws/repeated_request.h"
#include "exporters/aws/service_failure.h"
#include "exporters/aws/sts.h"

namespace {

using namespace invlog::aws;

void require(bool true_of_every_input) {
  if (!true_of_every_input) {
    std::abort();
  }
}

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= ' ' && byte < '\x7f'; });
}

std::string_view take_line(std::string_view& input) {
  const std::size_t end = std::min(input.find('\n'), input.size());
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(std::min(end + 1, input.size()));
  return line;
}

void check_failure(const HttpResponse& response) {
  const ServiceFailure failure = failure_of(response, "What");
  require(failure.message.size() < 1000 && printable(failure.message));
  require(failure.code.size() <= 100 && printable(failure.code));
  require(failure.region.size() <= 40 && printable(failure.region));
  require(failure.status == response.status);
  require(std::string_view(name_of(failure.kind)) != "unknown");
  if (failure.retry_after) {
    require(failure.retry_after->count() >= 0 && *failure.retry_after <= std::chrono::hours(24));
  }
}

void check_repeated_request(std::string body) {
  cut_repeated_request(body);
  require(!cut_repeated_request(body));
}

class Answering final : public HttpClient {
 public:
  explicit Answering(std::string_view body) { response_.body = body; }
  HttpResult send(const HttpRequest&) override { return response_; }

 private:
  HttpResponse response_{200, {}, ""};
};

class StaticProvider final : public CredentialsProvider {
 public:
  ProvideResult provide() override { return Credentials{"AKID", "secret", "", {}, ""}; }
};

void check_sts(std::string_view body) {
  Answering http(body);
  StaticProvider provider;
  ServiceClientOptions options;
  options.service = "sts";
  options.region = "eu-central-1";
  options.endpoint = "https://sts.eu-central-1.amazonaws.com";
  ServiceClient sts(options, http, provider);
  if (const auto identity = get_caller_identity(sts)) {
    require(identity->account_id.size() == 12 && printable(identity->account_id));
    require(identity->arn.starts_with("arn:") && printable(identity->arn));
  }
  AssumeRoleRequest request;
  request.role_arn = "arn:aws:iam::123456789012:role/r";
  request.session_name = "session";
  for (const std::string token : {"", "token"}) {
    request.web_identity_token = token;
    if (const auto credentials = assume_role(sts, request)) {
      for (const std::string* text : {&credentials->access_key_id, &credentials->secret_access_key,
                                      &credentials->session_token}) {
        require(!text->empty() && printable(*text));
      }
      require(credentials->expiration.has_value());
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.empty()) {
    return 0;
  }
  const auto choice = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  if (choice >= 0x80) {
    check_sts(input);
    return 0;
  }
  constexpr int kStatuses[] = {200, 301, 400, 403, 404, 409, 429, 500, 503, 999};
  HttpResponse response;
  response.status = kStatuses[choice % std::size(kStatuses)];
  for (const char* name : {"retry-after", "x-amzn-errortype", "x-amz-bucket-region"}) {
    response.headers.emplace_back(name, take_line(input));
  }
  response.headers.emplace_back("date", "Sun, 06 Nov 1994 08:49:37 GMT");
  response.headers.emplace_back("x-amz-retry-after", response.header("retry-after").substr(0, 8));
  response.body = input;
  check_failure(response);
  check_repeated_request(response.body);
  return 0;
}

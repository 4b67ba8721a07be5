#include "exporters/aws/imds_client.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "exporters/aws/credential_json.h"
#include "exporters/aws/message_text.h"
#include "storage/lower_case.h"

namespace invlog::aws {
namespace {

using std::chrono::seconds;

constexpr const char* kIpv4 = "http://169.254.169.254";
constexpr const char* kIpv6 = "http://[fd00:ec2::254]";
constexpr const char* kTokenPath = "/latest/api/token";
constexpr const char* kTokenHeader = "x-aws-ec2-metadata-token";
constexpr const char* kTtlHeader = "x-aws-ec2-metadata-token-ttl-seconds";
constexpr int kTokenSeconds = 21600;
constexpr int kEarlySeconds = 5;

bool is_plain(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte > ' ' && byte < '\x7f'; });
}

// A whole number from 1 to `most`, or 0.
int number_in(std::string_view text, int most) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && number >= 1 && number <= most ? number : 0;
}

}  // namespace

std::string_view trimmed_answer(std::string_view text) {
  constexpr const char* kWhite = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kWhite);
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(kWhite) - first + 1);
}

ImdsClient::ImdsClient(const ChainOptions& options) : options_(options) {
  disabled_ =
      storage::lower_case(value_of(options.environment, "AWS_EC2_METADATA_DISABLED")) == "true";
  version_1_disabled_ =
      storage::lower_case(value_of(options.environment, "AWS_EC2_METADATA_V1_DISABLED")) == "true";
  read_environment();
}

void ImdsClient::read_environment() {
  const auto read = [this](const char* name, int most, int otherwise) {
    const std::string text = value_of(options_.environment, name);
    const int number = number_in(text, most);
    if (number == 0 && !text.empty()) {
      configuration_ =
          std::string(name) + " must be a whole number from 1 to " + std::to_string(most);
    }
    return number == 0 ? otherwise : number;
  };
  timeout_ = seconds(read("AWS_METADATA_SERVICE_TIMEOUT", 60, 1));
  attempts_ = read("AWS_METADATA_SERVICE_NUM_ATTEMPTS", 20, 1);

  const std::string mode =
      storage::lower_case(value_of(options_.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"));
  if (!mode.empty() && mode != "ipv4" && mode != "ipv6") {
    configuration_ = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE must be IPv4 or IPv6";
  }
  base_ = value_of(options_.environment, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (base_.empty()) {
    base_ = mode == "ipv6" ? kIpv6 : kIpv4;
  } else if (!is_plain(base_) || base_.find('@') != std::string::npos ||
             !(base_.starts_with("http://") || base_.starts_with("https://"))) {
    configuration_ =
        "AWS_EC2_METADATA_SERVICE_ENDPOINT must have the form http://host[:port], without a user "
        "name";
  }
  while (base_.ends_with('/')) {
    base_.pop_back();
  }
}

tl::expected<void, ImdsClient::Trouble> ImdsClient::prepare_token() {
  const auto now = options_.steady_clock();
  if (!token_.empty() && now < token_until_) {
    return {};
  }
  token_.clear();
  HttpRequest request = request_to(kTokenPath);
  request.method = "PUT";
  request.headers = {{kTtlHeader, std::to_string(kTokenSeconds)}};
  const HttpResult response = send(request);
  if (!response) {
    // A token's answer makes one hop only: it does not reach a container on the instance. Then
    // version 1 may.
    if (response.error().kind == HttpFailure::Kind::timeout && !version_1_disabled_) {
      return {};
    }
    return tl::unexpected(trouble_of(response.error()));
  }
  answered_before_ = true;
  if (response->status == 403 || response->status == 404 || response->status == 405) {
    if (!version_1_disabled_) {
      return {};
    }
    Trouble trouble = trouble_of(*response, "a token of version 2");
    trouble.text += "; AWS_EC2_METADATA_V1_DISABLED keeps version 1 from being asked";
    return tl::unexpected(std::move(trouble));
  }
  if (response->status != 200) {
    return tl::unexpected(trouble_of(*response, "a token of version 2"));
  }
  const std::string token(trimmed_answer(response->body));
  if (token.empty() || token.size() > 4096 || !is_plain(token)) {
    return tl::unexpected(Trouble{false, base_ + kTokenPath + " did not answer with a token"});
  }
  token_ = token;
  const int lifetime = number_in(response->header(kTtlHeader), kTokenSeconds);
  token_until_ = now + seconds((lifetime == 0 ? kTokenSeconds : lifetime) - kEarlySeconds);
  return {};
}

tl::expected<HttpResponse, ImdsClient::Trouble> ImdsClient::get(const std::string& path,
                                                                const std::string& what) {
  if (!configuration_.empty()) {
    return tl::unexpected(Trouble{false, configuration_});
  }
  if (!http_ && !(options_.http && (http_ = options_.http()))) {
    return tl::unexpected(Trouble{false, "this command has no HTTP client"});
  }
  for (bool again = false;; again = true) {
    if (const auto prepared = prepare_token(); !prepared) {
      return tl::unexpected(prepared.error());
    }
    HttpRequest request = request_to(path);
    if (!token_.empty()) {
      request.headers.emplace_back(kTokenHeader, token_);
    }
    HttpResult response = send(request);
    if (!response) {
      return tl::unexpected(trouble_of(response.error()));
    }
    answered_before_ = true;
    if (response->status != 401) {
      return std::move(*response);
    }
    if (again || token_.empty()) {
      Trouble trouble = trouble_of(*response, what);
      if (token_.empty()) {
        trouble.text +=
            ": it asks for version 2, whose token did not arrive; inside a container, raise the "
            "instance's metadata hop limit (HttpPutResponseHopLimit) to 2";
      }
      return tl::unexpected(std::move(trouble));
    }
    token_.clear();
  }
}

HttpResult ImdsClient::send(const HttpRequest& request) {
  for (int attempt = 1;; ++attempt) {
    HttpResult result = http_->send(request);
    const bool may_pass = result ? result->status >= 500
                                 : result.error().kind == HttpFailure::Kind::connect ||
                                       result.error().kind == HttpFailure::Kind::timeout ||
                                       result.error().kind == HttpFailure::Kind::broken;
    if (!may_pass || attempt >= attempts_) {
      return result;
    }
  }
}

HttpRequest ImdsClient::request_to(const std::string& path) const {
  HttpRequest request;
  request.url = base_ + path;
  request.connect_timeout = timeout_;
  request.total_timeout = timeout_;
  request.direct = true;
  return request;
}

ImdsClient::Trouble ImdsClient::trouble_of(const HttpFailure& failure) const {
  using Kind = HttpFailure::Kind;
  const bool silent = failure.kind == Kind::connect || failure.kind == Kind::resolve ||
                      failure.kind == Kind::timeout;
  return {silent && !answered_before_, failure.message, silent || failure.kind == Kind::broken};
}

ImdsClient::Trouble ImdsClient::trouble_of(const HttpResponse& response,
                                           const std::string& what) const {
  std::string text =
      base_ + " answered with status " + std::to_string(response.status) + " for " + what;
  std::string said = error_in_json(response.body);
  hide_secret(said, token_);
  return {false, said.empty() ? text : text + ": " + said,
          response.status >= 500 || response.status == 429};
}

}  // namespace invlog::aws

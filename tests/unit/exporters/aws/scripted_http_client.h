// An HttpClient that answers from a list and keeps what it was asked. One thread. More requests
// than answers: HttpFailure::Kind::connect.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exporters/aws/http_client.h"

namespace invlog::tests {

class ScriptedHttpClient final : public aws::HttpClient {
 public:
  struct Seen {
    std::string method, url, body;
    aws::HttpHeaders headers;
    bool direct = false;

    // Names as sent; "" if there is none.
    std::string header(std::string_view name) const {
      for (const auto& [key, value] : headers) {
        if (key == name) {
          return value;
        }
      }
      return "";
    }
  };

  void answer(int status, std::string body = "", aws::HttpHeaders headers = {}) {
    aws::HttpResponse response;
    response.status = status;
    response.headers = std::move(headers);
    response.body = std::move(body);
    answers_.emplace_back(std::move(response));
  }
  void fail(aws::HttpFailure::Kind kind, std::string message = "host:443: broken") {
    answers_.emplace_back(tl::unexpected(aws::HttpFailure{kind, std::move(message)}));
  }

  aws::HttpResult send(const aws::HttpRequest& request) override {
    seen.push_back(
        {request.method, request.url, std::string(request.body), request.headers, request.direct});
    if (answers_.empty()) {
      return tl::unexpected(
          aws::HttpFailure{aws::HttpFailure::Kind::connect, "the script has no more answers"});
    }
    aws::HttpResult result = std::move(answers_.front());
    answers_.pop_front();
    return result;
  }

  std::vector<Seen> seen;

 private:
  std::deque<aws::HttpResult> answers_;
};

}  // namespace invlog::tests

// CloudWatch Logs in memory, behind the HttpClient interface: enforces what the service enforces
// (facts/aws-delivery.md §1), keeps what it took, and answers what a test tells it to.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/aws/credentials.h"
#include "exporters/aws/http_client.h"

namespace invlog::test {

class FakeLogsService : public aws::HttpClient {
 public:
  struct Event {
    std::int64_t timestamp_ms = 0;
    std::string message;
  };
  struct Call {
    std::string operation, url;
    aws::HttpHeaders headers;
    std::string body;  // decoded
    bool gzip = false;
    std::size_t wire_bytes = 0;
  };

  aws::HttpResult send(const aws::HttpRequest& request) override;

  // An answer with an error code, as the service gives it.
  static aws::HttpResponse error(const std::string& code, const std::string& message = "",
                                 int status = 400);
  // The next call of this operation gets this answer and has no effect; several queue up.
  void answer_next(const std::string& operation, aws::HttpResult answer);
  // The next call of this operation has its effect, but its answer is lost.
  void lose_next(const std::string& operation) { lost_.insert(operation); }

  std::vector<std::string> operations() const;
  const std::vector<Event>& events(const std::string& group, const std::string& stream) {
    return groups_[group][stream];
  }
  bool has_stream(const std::string& group, const std::string& stream) const;
  void make_stream(const std::string& group, const std::string& stream) { groups_[group][stream]; }
  void remove_group(const std::string& group) { groups_.erase(group); }

  std::int64_t now_ms = 1'790'000'000'000;
  std::string region = "eu-central-1", account = "111122223333";
  bool takes_gzip = true;
  // Events for which a whole batch is refused.
  std::function<bool(const Event&)> unwelcome;
  std::map<std::string, int> retention;     // by group, days
  std::int64_t stored_bytes = 1;            // as each group shows
  std::map<std::string, std::string> keys;  // by group
  std::vector<Call> calls;

 private:
  aws::HttpResponse perform(const Call& call);
  aws::HttpResponse put_log_events(const Call& call);
  aws::HttpResponse describe_log_groups(const Call& call);
  aws::HttpResponse get_log_events(const std::string& group, const std::string& stream,
                                   const std::string& token);

  std::map<std::string, std::map<std::string, std::vector<Event>>> groups_;
  std::map<std::string, std::deque<aws::HttpResult>> answers_;
  std::set<std::string> lost_;
};

class TestCredentials : public aws::CredentialsProvider {
 public:
  aws::ProvideResult provide() override {
    return aws::Credentials{"AKIDEXAMPLE", "secret", "", {}, "test"};
  }
};

}  // namespace invlog::test

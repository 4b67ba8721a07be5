#include "agent/capture/clock_problem.h"

#include "tests/catch.h"

namespace invlog::capture {
namespace {

using std::chrono::seconds;

constexpr const char* kAhead =
    R"({"message":"Signature not yet current: 20231114T222820Z is still later than now"})";

ResponseHead refusal_of_signature() {
  ResponseHead refusal;
  refusal.status = 403;
  refusal.headers = {{"Date", "Tue, 14 Nov 2023 22:13:20 GMT"},
                     {"x-amzn-ErrorType", "InvalidSignatureException:http://internal/"}};
  return refusal;
}

// `ahead`: of the Date in there.
std::string told(const ResponseHead& refusal, const char* body, seconds ahead) {
  const std::chrono::system_clock::time_point date(seconds(1700000000));
  return clock_problem(refusal, body, date + ahead);
}

}  // namespace

TEST_CASE("A clock for which AWS refuses the agent's signatures is told with what to do") {
  CHECK(
      told(refusal_of_signature(), kAhead, seconds(900)) ==
      "this host's clock is 900 s ahead of the upstream's, which therefore refuses the calls that "
      "the agent signs: set it (chrony, systemd-timesyncd)");
  const char* behind =
      R"({"message":"Signature expired: 20231114T215820Z is now earlier than 20231114T220820Z"})";
  CHECK(told(refusal_of_signature(), behind, seconds(-900))
            .starts_with("this host's clock is 900 s behind the upstream's,"));
  ResponseHead skewed = refusal_of_signature();
  skewed.headers[1].second = "RequestTimeTooSkewed";
  CHECK(told(skewed, R"({"message":"The difference is too large."})", seconds(301))
            .starts_with("this host's clock is 301 s ahead of"));
  ResponseHead far = refusal_of_signature();
  far.headers[0].second = "Fri, 31 Dec 9999 23:59:59 GMT";
  CHECK(told(far, kAhead, seconds(0)).starts_with("this host's clock is 251702300799 s behind"));
  // The code may be only in the body.
  ResponseHead unnamed = refusal_of_signature();
  unnamed.headers.pop_back();
  CHECK(told(unnamed, R"({"__type":"x#SignatureDoesNotMatch","message":"It is expired."})",
             seconds(-241))
            .starts_with("this host's clock is 241 s behind"));
}

TEST_CASE("What is refused for another reason says nothing of the clock, however wrong that is") {
  CHECK(told(refusal_of_signature(), R"({"message":"It does not match."})", seconds(900)).empty());
  ResponseHead denied = refusal_of_signature();
  denied.headers[1].second = "AccessDeniedException";
  CHECK(told(denied, R"({"message":"The subscription is expired."})", seconds(900)).empty());
  ResponseHead other = refusal_of_signature();
  other.status = 400;
  CHECK(told(other, kAhead, seconds(900)).empty());
}

TEST_CASE("A clock that is right, or that nothing can be compared with, is no problem") {
  CHECK(told(refusal_of_signature(), kAhead, seconds(240)).empty());
  CHECK(told(refusal_of_signature(), kAhead, seconds(-240)).empty());
  CHECK_FALSE(told(refusal_of_signature(), kAhead, seconds(241)).empty());
  for (const char* no_date : {"", "1700000000", "Tue, 14 Nov 2023 22:13:20 GMT, again"}) {
    ResponseHead damaged = refusal_of_signature();
    damaged.headers[0].second = no_date;
    CHECK(told(damaged, kAhead, seconds(900)).empty());
  }
  ResponseHead undated = refusal_of_signature();
  undated.headers.erase(undated.headers.begin());
  CHECK(told(undated, kAhead, seconds(900)).empty());
}

}  // namespace invlog::capture

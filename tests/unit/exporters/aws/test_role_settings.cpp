#include "exporters/aws/role_settings.h"

#include <string>

#include "tests/catch.h"

using namespace invlog::aws;

TEST_CASE("a role's ARN is of the form and size that STS takes") {
  for (const std::string arn :
       {"arn:aws:iam::123456789012:role/invlog", "arn:aws-cn:iam::123456789012:role/a/b/c",
        "arn:aws-us-gov:iam::123456789012:role/x"}) {
    CHECK(!problem_of_role_arn(arn));
  }
  for (const std::string& arn :
       {std::string(), std::string("invlog"), std::string("arn:aws:iam::1:role"),
        std::string("arn:aws:iam::123456789012:role/a b"),
        std::string("arn:aws:iam::123456789012:role/a\n"),
        std::string("arn:aws:iam::123456789012:role/\xC3\xBC"),
        "arn:aws:iam::123456789012:role/" + std::string(2048, 'x')}) {
    INFO(arn);
    CHECK(problem_of_role_arn(arn));
  }
}

TEST_CASE("session names and external ids have STS's characters and lengths") {
  CHECK(!problem_of_session_name("ab"));
  CHECK(!problem_of_session_name("A9_+=,.@-"));
  CHECK(!problem_of_session_name(std::string(64, 'x')));
  CHECK(!problem_of_external_id("a:/b"));
  CHECK(!problem_of_external_id(std::string(1224, 'x')));
  CHECK(problem_of_external_id(std::string(1225, 'x')));
  CHECK(problem_of_session_name(std::string(65, 'x')));
  for (const std::string text : {"", "a", "a b", "a\n", "a;b", "\xC3\xBC-"}) {
    INFO(text);
    CHECK(problem_of_session_name(text));
    CHECK(problem_of_external_id(text));
  }
  CHECK(problem_of_session_name("a/b"));
}

TEST_CASE("a duration is a whole number of seconds from 15 minutes to 12 hours") {
  std::chrono::seconds duration{7};
  for (const std::string text :
       {"", "899", "43201", "3600s", "-900", "+900", " 900", "1e3", "99999999999999999999"}) {
    INFO(text);
    CHECK(problem_of_duration(text, duration));
    CHECK(duration.count() == 7);
  }
  CHECK(!problem_of_duration("900", duration));
  CHECK(duration.count() == 900);
  CHECK(!problem_of_duration("43200", duration));
  CHECK(duration.count() == 43200);
}

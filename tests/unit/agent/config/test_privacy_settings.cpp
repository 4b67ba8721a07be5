#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::tests;

TEST_CASE("[privacy] is read, and everything is kept without it") {
  const auto defaults = from_file(kRegion);
  REQUIRE(defaults);
  CHECK((defaults->privacy.text && defaults->privacy.redact.empty()));
  const auto given = from_file(
      kRegion +
      "[privacy]\nimage = false\nredact = [\"email\", \"iban\"]\nredact_patterns = [\"a+\"]\n"
      "redact_paths = [\"$.a[*]\"]\nmetadata_only = true\nsample_bodies = 0.25\n");
  REQUIRE(given);
  CHECK((given->privacy.text && !given->privacy.image && given->privacy.metadata_only));
  CHECK(given->privacy.redact == std::vector<std::string>{"email", "iban"});
  CHECK(given->privacy.sample_bodies == 0.25);
  CHECK(from_file(kRegion + "[privacy]\nsample_bodies = 0\n")->privacy.sample_bodies == 0);
}

TEST_CASE("what [privacy] cannot do is said with its place") {
  const auto error = [](const std::string& line) {
    return error_of(from_file(kRegion + "[privacy]\n" + line + "\n"));
  };
  CHECK(error("redact = [\"emails\"]").starts_with("c.toml:4:10: redact: \"emails\" is none of"));
  CHECK(error("redact = [\"emails\"]").ends_with("did you mean \"email\"?"));
  CHECK(error("redact_patterns = [\"(\"]")
            .starts_with("c.toml:4:19: redact_patterns: \"(\" is no regular expression"));
  CHECK(
      error("redact_paths = [\"a.b\"]")
          .starts_with("c.toml:4:16: redact_paths: \"a.b\" is no JSON path: it must begin with $"));
  CHECK(
      error("sample_bodies = 1.5").starts_with("c.toml:4:17: sample_bodies: 1.5 is not within 0"));
  CHECK(
      error("sample_bodies = \"all\"").ends_with("must be a number without quotes, such as 0.25"));
}

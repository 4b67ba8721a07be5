#include "exporters/aws/credentials.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/catch.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;

namespace {

class Link final : public CredentialsProvider {
 public:
  Link(std::string name, ProvideResult result, int& asked, int& forgotten)
      : name_(std::move(name)), result_(std::move(result)), asked_(asked), forgotten_(forgotten) {}
  ProvideResult provide() override {
    ++asked_;
    return result_;
  }
  void forget() override { ++forgotten_; }
  std::string name() const override { return name_; }
  std::string why_nothing() const override { return name_ + " has nothing"; }

 private:
  const std::string name_;
  const ProvideResult result_;
  int& asked_;
  int& forgotten_;
};

ProvideResult credentials(const std::string& key) {
  Credentials made;
  made.access_key_id = key;
  made.source = "the source of " + key;
  made.expiration = kNow;
  return made;
}

struct Chain {
  int asked[3] = {0, 0, 0}, forgotten[3] = {0, 0, 0};
  std::unique_ptr<CredentialsProvider> provider;

  Chain(ProvideResult first, ProvideResult second, ProvideResult third) {
    std::vector<std::unique_ptr<CredentialsProvider>> links;
    links.push_back(std::make_unique<Link>("first", std::move(first), asked[0], forgotten[0]));
    links.push_back(std::make_unique<Link>("second", std::move(second), asked[1], forgotten[1]));
    links.push_back(std::make_unique<Link>("third", std::move(third), asked[2], forgotten[2]));
    provider = provider_chain(std::move(links));
  }
};

}  // namespace

TEST_CASE("the environment gives keys, and a token if there is one") {
  const auto result = environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", "AKID"},
                                                           {"AWS_SECRET_ACCESS_KEY", "secret"},
                                                           {"AWS_SESSION_TOKEN", "token"}}))
                          ->provide();
  REQUIRE(result);
  REQUIRE(*result);
  CHECK((*result)->access_key_id == "AKID");
  CHECK((*result)->secret_access_key == "secret");
  CHECK((*result)->session_token == "token");
  CHECK((*result)->source == "environment");
  CHECK(!(*result)->expiration);
}

TEST_CASE("values of the environment that would break a header are refused, and not shown") {
  for (const char* variable : {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}) {
    Variables variables{{"AWS_ACCESS_KEY_ID", "hush"},
                        {"AWS_SECRET_ACCESS_KEY", "hush"},
                        {"AWS_SESSION_TOKEN", "hush"}};
    for (const char* end : {"\n", "\r", " ", "\x01", "\xc3\xa9"}) {
      variables[variable] = std::string("hush") + end;
      const std::string error =
          error_of(environment_provider(environment_of(variables))->provide());
      CHECK(contains(error, std::string("environment: ") + variable + " has characters"));
      CHECK(!contains(error, "hush"));
    }
  }
}

TEST_CASE("an environment without keys is not an error, half a pair is") {
  CHECK(error_of(environment_provider(environment_of({}))->provide()) == "nothing");
  CHECK(error_of(environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", ""}}))->provide()) ==
        "nothing");
  CHECK(contains(
      error_of(environment_provider(environment_of({{"AWS_ACCESS_KEY_ID", "AKID"}}))->provide()),
      "AWS_SECRET_ACCESS_KEY is not"));
  const std::string error = error_of(
      environment_provider(environment_of({{"AWS_SECRET_ACCESS_KEY", "hush"}}))->provide());
  CHECK(contains(error, "AWS_ACCESS_KEY_ID is not"));
  CHECK(!contains(error, "hush"));
}

TEST_CASE("the chain takes the first value or error, and asks nobody after it") {
  Chain value(std::nullopt, credentials("KEY"), credentials("OTHER"));
  CHECK(key_of(value.provider->provide()) == "KEY");
  CHECK(value.asked[0] == 1);
  CHECK(value.asked[2] == 0);

  Chain error(std::nullopt, tl::unexpected<std::string>("broken"), credentials("OTHER"));
  CHECK(error_of(error.provider->provide()) == "broken");
  CHECK(error.asked[2] == 0);

  Chain none(std::nullopt, std::nullopt, std::nullopt);
  CHECK(error_of(none.provider->provide()) == "nothing");
  CHECK(none.asked[2] == 1);
}

TEST_CASE("the chain tells each link that its credentials were refused") {
  Chain chain(std::nullopt, credentials("KEY"), std::nullopt);
  chain.provider->forget();
  for (const int forgotten : chain.forgotten) {
    CHECK(forgotten == 1);
  }
}

TEST_CASE("the chain explains what each link said") {
  using Outcome = LinkReport::Outcome;
  Chain answered(std::nullopt, credentials("KEY"), credentials("OTHER"));
  auto reports = answered.provider->explain();
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].link == "first");
  CHECK(reports[0].outcome == Outcome::not_configured);
  CHECK(reports[0].detail == "first has nothing");
  CHECK(reports[1].link == "second");
  CHECK(reports[1].outcome == Outcome::answered);
  CHECK(reports[1].detail == "the source of KEY");
  CHECK(reports[1].expiration == kNow);
  CHECK(reports[2].link == "third");
  CHECK(reports[2].outcome == Outcome::not_asked);
  CHECK(answered.asked[2] == 0);

  Chain failed(tl::unexpected<std::string>("broken"), credentials("KEY"), std::nullopt);
  reports = failed.provider->explain();
  REQUIRE(reports.size() == 3);
  CHECK(reports[0].outcome == Outcome::failed);
  CHECK(reports[0].detail == "broken");
  CHECK(reports[1].outcome == Outcome::not_asked);
}

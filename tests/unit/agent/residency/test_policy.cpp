#include "agent/residency/policy.h"

#include <chrono>

#include "tests/catch.h"
#include "tests/unit/agent/config/config_text.h"

using namespace invlog::residency;
using namespace invlog::tests;
using invlog::config::PolicyConfig;

namespace {

const std::string kEu = "eu.amazon.nova-2-lite-v1:0";
const std::string kGlobal = "global.amazon.nova-2-lite-v1:0";
const std::string kModel = "amazon.nova-lite-v1:0";
const std::string kUs = "us.amazon.nova-lite-v1:0";       // known, but not where it goes
const std::string kNobody = "eu.vendor.unheard-of-v1:0";  // an id whose prefix says "eu"
const std::string kProvisioned =
    "arn:aws:bedrock:eu-central-1:123456789012:provisioned-model/abcdefghijkl";
const std::string kApplication =
    "arn:aws:bedrock:eu-central-1:123456789012:application-inference-profile/1arbu5hu2sjr";

std::shared_ptr<const Profile> profile(const std::string& id, Scope scope,
                                       const std::string& geography,
                                       std::vector<std::string> destinations) {
  Profile known;
  known.id = id;
  known.scope = scope;
  known.geography = geography;
  known.models = {"amazon.nova-2-lite-v1:0"};
  known.destinations = std::move(destinations);
  known.kind =
      id.find('.') == std::string::npos ? Profile::Kind::application : Profile::Kind::system;
  return std::make_shared<const Profile>(std::move(known));
}

std::shared_ptr<const Profile> find(std::string_view id) {
  if (id == kEu) {
    return profile(kEu, Scope::geographic, "eu", {"eu-central-1", "eu-north-1"});
  }
  if (id == kGlobal) {
    return profile(kGlobal, Scope::global, "", {});
  }
  if (id == kUs) {
    return profile(kUs, Scope::geographic, "us", {});
  }
  if (id == "2arbu5hu2sjr") {
    return profile("2arbu5hu2sjr", Scope::geographic, "", {"eu-central-1", "eu-north-1"});
  }
  if (id == "1arbu5hu2sjr") {
    return profile("1arbu5hu2sjr", Scope::geographic, "eu", {"eu-central-1", "eu-north-1"});
  }
  return nullptr;
}

Policy policy_of(const std::string& lines) {
  const auto configuration = from_file(kRegion + "[policy]\n" + lines + "\n");
  REQUIRE(error_of(configuration) == "(no error)");
  return Policy(configuration->policy);
}

Verdict judged(const std::string& lines, const std::string& model, const std::string& caller = "") {
  return policy_of(lines).judge(model, classify(model, "eu-central-1", find), caller);
}

std::string error_with(const std::string& lines) {
  return error_of(from_file(kRegion + "[policy]\n" + lines + "\n"));
}

}  // namespace

TEST_CASE("each rule of a policy decides as it is written") {
  struct Row {
    std::string lines, model, caller;
    Decision decision;
    std::string rule;
  };
  const std::string allow = "allow = [\"in-region\", \"geo:eu\"]";
  const std::string regions = "allow_destinations = [\"eu-central-1\", \"eu-north-1\"]";
  const auto allowed = Decision::allow, denied = Decision::deny, flagged = Decision::flag;
  const std::string unknown_flag = "unknown = \"flag\"", unknown_deny = "unknown = \"deny\"";
  const Row rows[] = {
      {"", kGlobal, "", allowed, ""},
      {"", kNobody, "", flagged, unknown_flag},
      {unknown_deny, kNobody, "", denied, unknown_deny},
      {"unknown = \"allow\"", kNobody, "", allowed, "unknown = \"allow\""},
      {unknown_deny, "", "", denied, unknown_deny},
      // deny
      {"deny = [\"global\"]", kGlobal, "", denied, "deny = \"global\""},
      {"deny = [\"global\"]", kEu, "", allowed, ""},
      {"deny = \"geo:us\"", kUs, "", denied, "deny = \"geo:us\""},
      {"deny = [\"in-region\"]", kModel, "", denied, "deny = \"in-region\""},
      {"deny = [\"application\"]", kApplication, "", denied, "deny = \"application\""},
      {"deny = [\"application\"]", kEu, "", allowed, ""},
      // By its id alone, and with nobody who knows it.
      {"deny = [\"application\"]", "9arbu5hu2sjr", "", denied, "deny = \"application\""},
      {"deny = [\"profile:9arbu*\"]", "9arbu5hu2sjr", "", denied, "deny = \"profile:9arbu*\""},
      {"deny = [\"model:anthropic.*\"]\n" + unknown_deny, "9arbu5hu2sjr", "", denied, unknown_deny},
      {"deny = [\"unknown\"]", kNobody, "", denied, "deny = \"unknown\""},
      {"deny = [\"profile:eu.amazon.*\"]", kEu, "", denied, "deny = \"profile:eu.amazon.*\""},
      {"deny = [\"model:amazon.*\"]", kEu, "", denied, "deny = \"model:amazon.*\""},
      {"deny = [\"model:amazon.*\"]", kApplication, "", denied, "deny = \"model:amazon.*\""},
      {"deny = [\"model:amazon.nova-lite-v?:0\"]", kModel, "", denied,
       "deny = \"model:amazon.nova-lite-v?:0\""},
      {"deny = [\"model:amazon.*\"]",
       "arn:aws:bedrock:eu-central-1::foundation-model/amazon.nova-lite-v1:0", "", denied,
       "deny = \"model:amazon.*\""},
      {"deny = [\"profile:1arbu5hu2sjr\"]", kApplication, "", denied,
       "deny = \"profile:1arbu5hu2sjr\""},
      // allow
      {allow, kModel, "", allowed, "allow = \"in-region\""},
      {allow, kEu, "", allowed, "allow = \"geo:eu\""},
      {allow, kApplication, "", allowed, "allow = \"geo:eu\""},
      {allow, kGlobal, "", denied, allow},
      {allow, "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0", "", denied,
       allow},
      {"allow = [\"in-region\"]", kEu, "", denied, "allow = [\"in-region\"]"},
      // A prefix is no proof, and neither is a profile of which only the name is known.
      {allow, kNobody, "", flagged, unknown_flag},
      {allow + "\n" + unknown_deny, kNobody, "", denied, unknown_deny},
      {"allow = [\"geo:us\"]\n" + unknown_deny, kUs, "", denied, unknown_deny},
      {"allow = [\"profile:" + kNobody + "\"]\n" + unknown_deny, kNobody, "", allowed,
       "allow = \"profile:" + kNobody + "\""},
      // Deny beats allow.
      {"allow = [\"global\"]\ndeny = [\"model:amazon.*\"]", kGlobal, "", denied,
       "deny = \"model:amazon.*\""},
      // allow_destinations
      {regions, kEu, "", allowed, ""},
      {regions, kModel, "", allowed, ""},
      {regions, kGlobal, "", denied, regions},
      {regions, kNobody, "", flagged, unknown_flag},
      {regions + "\nallow = [\"profile:*\"]\n" + unknown_deny, kNobody, "", denied, unknown_deny},
      {"allow_destinations = \"eu-central-1\"", kEu, "", denied,
       "allow_destinations = [\"eu-central-1\"]"},
      {regions + "\n" + allow, kEu, "", allowed, "allow = \"geo:eu\""},
      {regions + "\nallow = [\"in-region\"]", kEu, "", denied, "allow = [\"in-region\"]"},
      // rules: the first whose terms all match, before everything else
      {"rules = [\"deny global caller:ci-*\"]", kGlobal, "ci-7", denied,
       "rules = \"deny global caller:ci-*\""},
      {"rules = [\"deny global caller:ci-*\"]", kGlobal, "app", allowed, ""},
      {"rules = [\"deny global caller:ci-*\"]", kEu, "ci-7", allowed, ""},
      {"rules = [\"allow global caller:app\", \"flag caller:*\"]\ndeny = [\"global\"]", kGlobal,
       "app", allowed, "rules = \"allow global caller:app\""},
      {"rules = [\"allow global caller:app\", \"flag caller:?*\"]\ndeny = [\"global\"]", kGlobal,
       "batch", flagged, "rules = \"flag caller:?*\""},
      {"rules = [\"allow global caller:app\", \"flag caller:?*\"]\ndeny = [\"global\"]", kGlobal,
       "", denied, "deny = \"global\""},
      // Nobody can tell who calls.
      {"rules = [\"deny global caller:ci-*\"]", kGlobal, "", flagged, unknown_flag},
      {"rules = [\"deny global caller:ci-*\"]\n" + unknown_deny, kGlobal, "", denied, unknown_deny},
      {"rules = [\"deny global caller:ci-*\"]\nunknown = \"allow\"", kGlobal, "", allowed, ""},
      {"rules = [\"deny global caller:ci-*\"]\n" + unknown_deny, kEu, "", allowed, ""},
      {"rules = [\"deny global caller:*\"]", kGlobal, "", denied,
       "rules = \"deny global caller:*\""},
      {"rules = [\"allow caller:app\"]\nallow = [\"in-region\"]", kEu, "", denied,
       "allow = [\"in-region\"]"},
      {"rules = [\"flag profile:eu.*\"]", kEu, "", flagged, "rules = \"flag profile:eu.*\""},
      // What a call is may be forbidden, and nobody knows what it is.
      {"deny = [\"model:anthropic.*\"]", kProvisioned, "", flagged, unknown_flag},
      {"deny = [\"model:anthropic.*\"]\n" + unknown_deny, kProvisioned, "", denied, unknown_deny},
      {"deny = [\"model:anthropic.*\"]\nunknown = \"allow\"", kProvisioned, "", allowed, ""},
      {"deny = [\"model:anthropic.*\"]", kModel, "", allowed, ""},
      {"deny = [\"model:*/abcdefghijkl\"]", kProvisioned, "", denied,
       "deny = \"model:*/abcdefghijkl\""},
      {"rules = [\"allow model:" + kProvisioned + "\"]\ndeny = [\"model:anthropic.*\"]",
       kProvisioned, "", allowed, "rules = \"allow model:" + kProvisioned + "\""},
      {"rules = [\"deny model:anthropic.* caller:ci-*\"]\n" + unknown_deny, kProvisioned, "ci-7",
       denied, unknown_deny},
      {"rules = [\"deny model:anthropic.* caller:ci-*\"]\n" + unknown_deny, kProvisioned, "app",
       allowed, ""},
      {"rules = [\"deny model:anthropic.*\", \"deny in-region\"]\nunknown = \"allow\"",
       kProvisioned, "", denied, "rules = \"deny in-region\""},
      {"rules = [\"flag model:anthropic.*\"]\n" + unknown_deny, kProvisioned, "", allowed, ""},
      {"deny = [\"geo:eu\"]\n" + unknown_deny, "2arbu5hu2sjr", "", denied, unknown_deny},
      {"allow = [\"geo:eu\"]", "2arbu5hu2sjr", "", denied, "allow = [\"geo:eu\"]"},
      // mode
      {"mode = \"observe\"\ndeny = [\"global\"]", kGlobal, "", flagged, "deny = \"global\""},
      {"mode = \"observe\"\n" + unknown_deny, kNobody, "", flagged, unknown_deny},
      {"mode = \"observe\"\ndeny = [\"global\"]", kEu, "", allowed, ""},
  };
  for (const Row& row : rows) {
    INFO(row.lines << "\n" << row.model << " by " << row.caller);
    const Verdict verdict = judged(row.lines, row.model, row.caller);
    CHECK(to_string(verdict.decision) == to_string(row.decision));
    CHECK(verdict.rule == row.rule);
  }
}

TEST_CASE("without a policy every call is allowed") {
  const Verdict verdict =
      Policy(PolicyConfig()).judge(kNobody, classify(kNobody, "eu-central-1", find), "");
  CHECK(verdict.decision == Decision::allow);
  CHECK(verdict.rule.empty());
  CHECK(!from_file(kRegion)->policy.given);
  CHECK(from_file(kRegion + "[policy]\n")->policy.given);
}

TEST_CASE("the reason names the rule, the profile and the destinations") {
  CHECK(judged("allow = [\"in-region\"]", kEu).reason ==
        "allow = [\"in-region\"] does not name it: profile " + kEu +
            " may be processed in eu-central-1, eu-north-1");
  CHECK(judged("deny = [\"global\"]", kGlobal).reason ==
        "deny = \"global\" matches: profile " + kGlobal +
            " may be processed in any commercial Region");
  CHECK(judged("allow_destinations = [\"eu-central-1\"]", kEu).reason ==
        "allow_destinations = [\"eu-central-1\"] has not eu-north-1: profile " + kEu +
            " may be processed in eu-central-1, eu-north-1");
  CHECK(judged("unknown = \"deny\"", kNobody).reason ==
        "unknown = \"deny\" decides: nobody knows where profile " + kNobody +
            " may be processed (no such profile in the catalogue)");
  CHECK(judged("deny = [\"model:anthropic.*\"]", kProvisioned).reason ==
        "unknown = \"flag\" decides, as nobody knows whether deny = \"model:anthropic.*\" matches: "
        "model " +
            kProvisioned + " is processed in eu-central-1");
  CHECK(judged("mode = \"observe\"\ndeny = [\"global\"]", kGlobal)
            .reason.ends_with("; it would be denied, but mode = \"observe\""));
  CHECK(judged("unknown = \"deny\"", std::string(10'000, 'x')).reason.size() < 500);
}

TEST_CASE("only a rule about callers asks for the caller") {
  CHECK(policy_of("rules = [\"deny global caller:ci-*\"]").asks_for_caller());
  CHECK(!policy_of("rules = [\"deny global\"]\nallow = [\"in-region\"]").asks_for_caller());
}

TEST_CASE("globs match whole texts, in bounded time") {
  CHECK(matches_glob("eu.*", "eu.amazon.nova"));
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("*nova*v1:?", "eu.amazon.nova-lite-v1:0"));
  CHECK(matches_glob("a*b*c", "a-b-b-c"));
  CHECK_FALSE(matches_glob("eu.*", "us.amazon.nova"));
  CHECK_FALSE(matches_glob("eu", "eu.x"));
  CHECK_FALSE(matches_glob("?", ""));
  CHECK_FALSE(matches_glob("*a*a*a*a*a*a*b", std::string(20'000, 'a')));
}

TEST_CASE("what is wrong with a policy is said with its place and the nearest name") {
  CHECK(error_with("deny = [\"golbal\"]") ==
        "c.toml:4:8: deny: \"golbal\" is no term of a rule; did you mean \"global\"?");
  CHECK(error_with("alow = [\"global\"]") ==
        "c.toml:4:1: unknown key \"alow\" in [policy]; did you mean \"allow\"?");
  CHECK(error_with("allow = [\"in-regoin\"]").ends_with("did you mean \"in-region\"?"));
  CHECK(error_with("allow = [\"profil:x\"]").ends_with("did you mean \"profile:\"?"));
  CHECK(error_with("allow = [\"geo:\"]").find("write, for instance, \"geo:eu\"") !=
        std::string::npos);
  CHECK(error_with("allow = [\"geo:EU\"]").find("is no geography") != std::string::npos);
  CHECK(error_with("allow = [\"everything-at-all\"]").find("write in-region, geo:PREFIX") !=
        std::string::npos);
  CHECK(error_with("allow = []").find("leave allow out") != std::string::npos);
  CHECK(error_with("allow_destinations = [\"*\"]").find("\"*\" is no Region") != std::string::npos);
  CHECK(error_with("deny = [\"caller:ci-*\"]").find("rules = [\"deny global caller:ci-*\"]") !=
        std::string::npos);
  CHECK(error_with("rules = [\"forbid global\"]").find("begins with allow, deny or flag") !=
        std::string::npos);
  CHECK(error_with("rules = [\"denny global\"]").ends_with("did you mean \"deny\"?"));
  CHECK(error_with("rules = [\"deny\"]").find("names no calls") != std::string::npos);
  CHECK(error_with("rules = [\"deny globl\"]").ends_with("did you mean \"global\"?"));
  CHECK(error_with("unknown = \"refuse\"").find("is none of \"flag\", \"deny\", \"allow\"") !=
        std::string::npos);
  CHECK(error_with("mode = \"dry-run\"").find("\"enforce\", \"observe\"") != std::string::npos);
}

#include "agent/bedrock/built_in_rules.h"

#include <string>

#include "agent/bedrock/redaction_rules.h"
#include "agent/bedrock/text_redactor.h"
#include "tests/catch.h"

using namespace invlog::bedrock;

namespace {

std::string redacted(const RedactionRules& rules, const std::string& text) {
  std::vector<TextEdit> edits;
  TextRedactor(rules).find(text, TextRedactor::Form::raw, {}, edits, nullptr);
  return edited(text, edits);
}

// The text with one built-in rule's replacements as "#".
std::string with_rule(const std::string& rule, const std::string& text) {
  std::string out = redacted(RedactionRules({rule}, {}), text);
  const std::string label = "[redacted:" + rule + "]";
  for (std::size_t at = out.find(label); at != std::string::npos; at = out.find(label, at)) {
    out.replace(at, label.size(), "#");
  }
  return out;
}

struct Example {
  const char *rule, *text, *expected;
};

}  // namespace

TEST_CASE("built-in rules take what they name and leave what only looks like it") {
  const std::string secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  const std::string secret_text = "aws_secret_access_key = " + secret_key + " ok";
  const std::string no_secret = "commit " + secret_key + " ok";
  const Example examples[] = {
      {"email", "write to ada.l+x@mail.example.co.uk, please", "write to #, please"},
      {"email", "<a@b.de>;c@d.org", "<#>;#"},
      {"email", "grüße@straße.example", "#"},
      {"email", "a @ b, user@localhost, @decorator, 3@4", nullptr},
      {"iban", "to DE89 3704 0044 0532 0130 00 today", "to # today"},
      {"iban", "DE89370400440532013000,gb29nwbk60161331926819", "#,#"},
      {"iban", "DE89 3704 0044 0532 0130 00 IS MINE", "# IS MINE"},
      {"iban",
       "DE89\xC2\xA0"
       "3704\xC2\xA0"
       "0044 0532 0130\xC2\xA0"
       "00",
       "#"},
      {"iban", "DE89\u202F3704\u20110044\u20090532\u202F0130\u202F00 today", "# today"},
      {"iban", "DE88370400440532013000 XX89370400440532013000 ADE89370400440532013000", nullptr},
      {"iban", "DE893704004405320130001", nullptr},
      {"phone", "call +49 171 1234567 now", "call # now"},
      {"phone", "+1 (415) 555-2671; 0044 20 7946 0958", "#; #"},
      {"phone", "(415) 555-2671 or 415-555-2671", "# or #"},
      {"phone", "089/1234567 and 0171 123 45 67", "# and #"},
      {"phone", "Tel. +49 30 90182012 10115 Berlin", "Tel. # 10115 Berlin"},
      {"phone", "+49 170 1234567 2026-11-26", "# 2026-11-26"},
      {"phone", "+491701234567 1764100000, +49-170-1234567-1764100000",
       "# 1764100000, #-1764100000"},
      {"phone", "0049 170 1234567 80331 Muenchen", "# 80331 Muenchen"},
      {"phone", "0171 123 45 67 80331 Muenchen", "# 80331 Muenchen"},
      {"phone", "+49 170 1234567 +49 170 7654321 8abc", "# # 8abc"},
      {"phone",
       "0171\xC2\xA0"
       "123\xC2\xA0"
       "45\xC2\xA0"
       "67",
       "#"},
      {"phone", "1-212-555-0100, 1.212.555.0100 or 1-800-555-0199; 1 (212) 555-0100",
       "#, # or #; #"},
      {"phone", "+1\u2011212\u2011555\u20110100, 212\u2010555\u20130100", "#, #"},
      {"phone", "+49\u202F30\u202F901820; 0171\u2009123\u200945\u200967", "#; #"},
      {"phone", "+49\u2011170\u20111234567 1764100000, x\u2011212\u2011555\u20110100",
       "# 1764100000, x\u2011212\u2011555\u20110100"},
      {"phone", "1-212-555-01000 2.1.212.555.0100 1-212-5550-100 1 234 567 89012", nullptr},
      {"phone", "\u0410+49 171 1234567", "\u0410#"},
      {"phone", "Tel\u2013+49 30 1234567, B\u00fcro \u20130221 123456\u20130221 654321",
       "Tel\u2013#, B\u00fcro \u2013#\u2013#"},
      {"phone", "+49 30 1234567\u2013+49 30 7654321, 0900\u20131700", "#\u2013#, 0900\u20131700"},
      {"phone", "0123-4567-89ab, 0171 2026-11-26T10:00, x+491701234567 1", nullptr},
      {"phone", "2026-11-25 10:00:00, 1234567890, 192.168.100.200, v1.22.333.4444", nullptr},
      {"phone", "0.0012345678901 1764100000000 3+4 12,345,678", nullptr},
      {"payment-card", "4111 1111 1111 1111", "#"},
      {"payment-card",
       "4111\xC2\xA0"
       "1111\xC2\xA0"
       "1111\xC2\xA0"
       "1111",
       "#"},
      {"payment-card", "4111\u20111111\u20111111\u20111111 4111\u202F1111\u20091111\u20131111",
       "# #"},
      {"payment-card", "card 378282246310005, exp 12/27", "card #, exp 12/27"},
      {"payment-card", "12 5555-5555-5555-4444 08", "12 # 08"},
      {"payment-card", "4111111111111112 41111111111111 1764100000000 x4111111111111111", nullptr},
      {"payment-card", "0.4111111111111111 1 2 3 4 5 6 7 8 9 10 11 12 13 14", nullptr},
      {"aws-key", "AKIAIOSFODNN7EXAMPLE and (ASIAIOSFODNN7EXAMPLE)", "# and (#)"},
      {"aws-key", "AKIAIOSFODNN7EXAMPL AKIAIOSFODNN7EXAMPLEX XAKIAIOSFODNN7EXAMPLE", nullptr},
      {"aws-key", secret_text.c_str(), "aws_secret_access_key = # ok"},
      {"aws-key", no_secret.c_str(), nullptr},
      {"bearer-token", "Authorization: Bearer abc123def456==", "Authorization: #"},
      {"bearer-token", "t=eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSM ok", "t=# ok"},
      {"bearer-token", "bedrock-api-key-YmVkcm9jay5hbWF6b24=", "#"},
      {"bearer-token", "the bearer certificates, a bearer of news", nullptr},
  };
  for (const Example& example : examples) {
    CAPTURE(example.rule, example.text);
    CHECK(with_rule(example.rule, example.text) ==
          (example.expected == nullptr ? example.text : example.expected));
  }
}

TEST_CASE("the word secret may stand in the name of the member that a key is the value of") {
  std::vector<TextRange> found;
  const std::string key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
  for (const BuiltInRule& rule : built_in_rules()) {
    if (rule.name == "aws-key") {
      rule.find(key, "token", found);
      CHECK(found.empty());
      rule.find(key, "SecretAccessKey", found);
    }
  }
  CHECK(found == std::vector<TextRange>{{0, 40}});
}

TEST_CASE("cards are found behind any number of other numbers, and never in parts of one") {
  std::string before;
  for (int count = 0; count < 150; ++count) {
    before += count % 2 == 0 ? "7 " : "12-";
    CHECK(with_rule("payment-card", before + "4111 1111 1111 1111 5") == before + "# 5");
    CHECK(with_rule("payment-card", before + "4111111111111111") == before + "#");
    const std::string none = before + "4111 1111 1111 1112";
    CHECK(with_rule("payment-card", none) == none);
  }
}

TEST_CASE("checksums of cards and IBANs") {
  CHECK(has_luhn_checksum("4111111111111111"));
  CHECK_FALSE(has_luhn_checksum("4111111111111121"));
  CHECK(has_iban_checksum("NO9386011117947"));
  CHECK_FALSE(has_iban_checksum("NO9386011117974"));
}

TEST_CASE("patterns are numbered, and overlapping matches become one replacement") {
  const RedactionRules rules({"email"}, {"order-\\d+", "(?i)secret \\w+@\\w+"});
  CHECK(redacted(rules, "order-17, order-x") == "[redacted:pattern 1], order-x");
  CHECK(redacted(rules, "Secret ada@example.org!") == "[redacted:pattern 2]!");
  CHECK(rules.count() == 3);
}

TEST_CASE("a pattern that is none, or matches everywhere, is refused") {
  CHECK(pattern_problem("(").value_or("").find("missing ): (") != std::string::npos);
  CHECK(pattern_problem("x*").value_or("").find("empty text") != std::string::npos);
  CHECK_FALSE(pattern_problem("x+"));
  CHECK_THROWS(RedactionRules({}, {"("}));
}

TEST_CASE("escapes are seen through, also escapes of escapes, and cut text") {
  const RedactionRules rules({"email"}, {});
  CHECK(redacted(rules, R"({"a":"u\u0073er\u0040example.org","b)") ==
        R"({"a":"[redacted:email]","b)");
  CHECK(redacted(rules, R"({"a":"{\"b\":\"user\\u0040example.org\"}"})") ==
        R"({"a":"{\"b\":\"[redacted:email]\"}"})");
  // The line break's n is not part of the address, and its backslash does not stay alone.
  CHECK(redacted(rules, R"(x\nuser@example.org)") == R"(x[redacted:email])");
}

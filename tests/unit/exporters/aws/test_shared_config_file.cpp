#include "exporters/aws/shared_config_file.h"

#include <string>

#include "tests/catch.h"

using namespace invlog::aws;

namespace {

SharedConfigFile parsed(const std::string& text) {
  auto file = parse_shared_config(text, "config");
  return file ? std::move(*file) : SharedConfigFile{{"error: " + file.error(), {}}};
}

std::string value(const SharedConfigFile& file, const std::string& section,
                  const std::string& key) {
  const auto found = file.find(section);
  if (found == file.end()) {
    return "no section";
  }
  const auto entry = found->second.values.find(key);
  return entry == found->second.values.end() ? "no key" : entry->second.value;
}

}  // namespace

TEST_CASE("sections are told by the text between their brackets, without quotes or more spaces") {
  const SharedConfigFile file = parsed(
      "[default]\na=1\n[ profile\t\tdev ] # mine\na=2\n[profile \"with space\"]\na=3\n[x] \na=4\n");
  CHECK(value(file, "default", "a") == "1");
  CHECK(value(file, "profile dev", "a") == "2");
  CHECK(value(file, "profile with space", "a") == "3");
  CHECK(value(file, "x", "a") == "4");
  CHECK(file.size() == 4);
}

TEST_CASE("keys are told in lower case, values as they are, up to a comment after white space") {
  const SharedConfigFile file = parsed(
      "\xef\xbb\xbf# first\n; second\n[default]\nKEY = a=b \nhash=a#b;c\ncomment = a # b\n"
      "empty =\nonly_comment = # x\r\nlast=x");
  CHECK(value(file, "default", "key") == "a=b");
  CHECK(value(file, "default", "hash") == "a#b;c");
  CHECK(value(file, "default", "comment") == "a");
  CHECK(value(file, "default", "empty") == "");
  CHECK(value(file, "default", "last") == "x");
}

TEST_CASE("a section given twice is one, and of a key given twice the last counts") {
  const SharedConfigFile file = parsed("[d]\na=1\nb=2\n[e]\n[d]\na=3\n");
  CHECK(value(file, "d", "a") == "3");
  CHECK(value(file, "d", "b") == "2");
  CHECK(file.at("d").line == 1);
  CHECK(file.at("d").values.find("a")->second.line == 6);
}

TEST_CASE("nested settings are passed over") {
  const SharedConfigFile file =
      parsed("[d]\ns3 =\n  aws_access_key_id = nested\n\tno equals sign\naws_access_key_id = A\n");
  CHECK(value(file, "d", "aws_access_key_id") == "A");
  CHECK(value(file, "d", "s3") == "");
}

TEST_CASE("indented keys are keys, unless a key without a value is before them") {
  const SharedConfigFile file = parsed(
      "[d]\n  aws_access_key_id = A\n\taws_secret_access_key = S\n  s3 =\n    a = 1\n    b = 2\n"
      "  region = r\n[e]\n  a = 1\n");
  CHECK(value(file, "d", "aws_access_key_id") == "A");
  CHECK(value(file, "d", "aws_secret_access_key") == "S");
  CHECK(value(file, "d", "region") == "r");
  CHECK(file.at("d").values.count("b") == 0);
  CHECK(value(file, "e", "a") == "1");
}

TEST_CASE("a line that is none is told by its number, without its text") {
  const auto error = [](const std::string& text) {
    const auto file = parse_shared_config(text, "config");
    return file ? "none" : file.error();
  };
  CHECK(error("[d]\n\nhush\n") == "config:3: expected key = value");
  CHECK(error("[d]\n=hush\n") == "config:2: expected key = value");
  CHECK(error("[d\n") == "config:1: a section's ']' is missing");
  CHECK(error("hush=1\n") == "config:1: expected a section such as [default] before the first key");
  CHECK(error(std::string("[d]\n\0\0\0", 7)) == "config:2: expected key = value");
  CHECK(error("") == "none");
  CHECK(error("\n\r\n \n") == "none");
}

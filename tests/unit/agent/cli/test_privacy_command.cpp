#include "agent/cli/privacy_command.h"

#include <sstream>

#include "tests/catch.h"
#include "tests/temporary_directory.h"

using namespace invlog;
using namespace invlog::tests;

TEST_CASE("privacy test shows the request metadata that would be kept, too") {
  const TemporaryDirectory directory;
  cli::PrivacyTestOptions options;
  const auto told = [&options](const std::string& body) {
    std::istringstream in(body);
    std::ostringstream out, err;
    CHECK(cli::run_privacy_test(options, in, out, err) == 0);
    return std::pair(out.str(), err.str());
  };
  const std::string body = R"({"messages":[],"requestMetadata":{"customer": "Jane"}})";
  const std::string redacted = R"({"customer":"[redacted:path 1]"})";
  options.config_file = directory.write("c.toml", "[privacy]\nredact_paths = [\"$..customer\"]\n");
  auto [out, err] = told(body);
  CHECK(out == R"({"messages":[],"requestMetadata":{"customer": "[redacted:path 1]"}})"
               "\n");
  CHECK(err == "path 1: 1\nrequest metadata: " + redacted + "\n");
  CHECK(told(R"({"messages":[]})").second.empty());
  options.json = true;
  // One line, whatever the file has.
  CHECK(told(body + "\n").first ==
        R"({"matches":{"path 1":1},"body":{"messages":[],"requestMetadata":)" + redacted +
            R"(},"requestMetadata":)" + redacted + "}\n");
  CHECK(told(R"({"messages":[]})").first == R"({"matches":{},"body":{"messages":[]}})"
                                            "\n");

  options.config_file =
      directory.write("d.toml", "[privacy]\nredact_paths = [\"$.requestMetadata\"]\n");
  CHECK(told(body).first.ends_with(",\"requestMetadata\":null}\n"));
  options.json = false;
  CHECK(told(body).second.ends_with("request metadata: none would be kept\n"));
}

#include "exporters/aws/process_credentials.h"

#include <filesystem>
#include <memory>
#include <string>

#include "exporters/aws/cached_credentials.h"
#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;
using namespace std::chrono_literals;

namespace {

constexpr const char* kAnswer =
    R"({"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"hushhush","SessionToken":"T",)"
    R"("Expiration":"2026-01-01T01:00:00Z"})";

struct Script {
  TemporaryDirectory folder;
  CredentialScene scene;
  std::string path;

  explicit Script(const std::string& body, const std::string& name = "keys") {
    path = folder.write(name, "#!/bin/sh\n" + body + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  ProvideResult run(const std::string& arguments = "",
                    std::chrono::milliseconds timeout = std::chrono::seconds(30)) {
    ChainOptions options = scene.options();
    options.process_timeout = timeout;
    return ProcessCredentials(options, "profile dev", "'" + path + "' " + arguments).provide();
  }
};

}  // namespace

TEST_CASE("a credential_process gives credentials, and the source names the program only") {
  Script script("[ \"$1\" = --user ] && [ \"$2\" = 'a b' ] && [ $# = 2 ] && echo '" +
                    std::string(kAnswer) + "'; echo noise >&2",
                "my keys");
  const auto result = script.run("--user \"a b\"");
  REQUIRE(key_of(result) == "AKID");
  CHECK((*result)->secret_access_key == "hushhush");
  CHECK((*result)->session_token == "T");
  CHECK((*result)->expiration == kNow + 1h);
  CHECK((*result)->source == "profile dev: credential_process " + script.path);
}

TEST_CASE("a credential_process is not run by a shell") {
  Script script("echo '" + std::string(kAnswer) + "'");
  const std::string file = script.folder.path() + "/made";
  CHECK(key_of(script.run("; touch " + file + " `touch " + file + "` $(touch " + file + ")")) ==
        "AKID");
  CHECK(!std::filesystem::exists(file));
}

TEST_CASE("a credential_process that fails says why, and never what it printed") {
  const std::string secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                    id = "AKIAIOSFODNN7EXAMPLE";
  const std::string printed = "{\"AccessKeyId\":\"" + id + "\",\"SecretAccessKey\":\"" + secret +
                              "\",\"SessionToken\":\"hushhush\"}";
  struct Case {
    std::string body, expected;
  };
  const Case cases[] = {
      {"echo '" + printed + "'; echo 'the vault\n is sealed' >&2; exit 7",
       "ended with code 7: the vault is sealed"},
      {"echo '" + printed + "'; exit 1", "ended with code 1"},
      {"echo '" + printed + "' >&2; exit 1", "ended with code 1: {"},
      {"echo '" + printed + "'", ": Version is not the number 1"},
      {"echo '" + printed + "' | head -c 70", ": not a JSON object"},
      {"true", ": not a JSON object"},
      {"echo '" + printed + "'; kill -9 $$", "ended with code 137"},
      {"echo '{\"Version\":1,\"AccessKeyId\":\"" + id + "\"}'", "SecretAccessKey is missing"},
      {"echo '" + printed + "'; sleep 60", "did not end within 300 ms"}};
  for (const Case& each : cases) {
    INFO(each.body);
    Script script(each.body);
    const std::string error = error_of(
        script.run("--password=argument-secret", contains(each.body, "sleep") ? 300ms : 30000ms));
    CHECK(contains(error, "profile dev: credential_process: "));
    CHECK(contains(error, script.path));
    CHECK(contains(error, each.expected));
    for (const std::string& hidden : {secret, id, std::string("argument-secret")}) {
      CHECK(!contains(error, hidden));
    }
    CHECK(error.size() < 1000);
  }
  Script chatty("for i in 1 2 3 4 5 6 7 8; do printf '%0999d\\n' 7 >&2; done; exit 1");
  CHECK(error_of(chatty.run()).size() < 1000);
}

TEST_CASE("a credential_process whose command cannot be read or run is an error") {
  CredentialScene scene;
  const auto error = [&](const std::string& command) {
    return error_of(ProcessCredentials(scene.options(), "profile dev", command).provide());
  };
  CHECK(error("keys 'hush") ==
        "profile dev: credential_process: the command has a quote that is not closed");
  CHECK(contains(error("/nonexistent/keys hush"), "cannot run /nonexistent/keys: "));
  CHECK(!contains(error("/nonexistent/keys hush"), "hush"));
}

TEST_CASE(
    "a credential_process is run again shortly before its credentials expire, and not before") {
  Script script("echo run >> \"$(dirname \"$0\")/runs\"; echo '" + std::string(kAnswer) + "'");
  const auto cache = cached(
      std::make_unique<ProcessCredentials>(script.scene.options(), "profile dev", script.path),
      script.scene.options());
  const auto runs = [&] {
    std::error_code missing;
    const auto size = std::filesystem::file_size(script.folder.path() + "/runs", missing);
    return missing ? 0 : size / 4;
  };
  CHECK(key_of(cache->provide()) == "AKID");
  script.scene.pass(44min);
  CHECK(key_of(cache->provide()) == "AKID");
  CHECK(runs() == 1);
  script.scene.pass(1min);
  CHECK(key_of(cache->provide()) == "AKID");
  CHECK(runs() == 2);
}

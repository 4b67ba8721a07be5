#include "exporters/aws/token_file.h"

#include <sys/stat.h>

#include <string>

#include "tests/catch.h"
#include "tests/temporary_directory.h"
#include "tests/unit/exporters/aws/credential_scene.h"

using namespace invlog::aws;
using namespace invlog::tests;

TEST_CASE("a token file gives its line, without white space at the end") {
  TemporaryDirectory home;
  for (const std::string text : {"token", "token\n", "token\r\n", "token \n\n"}) {
    const auto token = read_token_file(home.write("token", text));
    REQUIRE(token);
    CHECK(*token == "token");
  }
  const std::string longest(20000, 'x');
  CHECK(read_token_file(home.write("token", longest + "\n")) == longest);
}

TEST_CASE("a token file that cannot be used is named, and its content is not") {
  TemporaryDirectory home;
  const auto error = [&](const std::string& content) {
    const auto token = read_token_file(home.write("token", content));
    return token ? "none" : token.error();
  };
  const std::string path = home.path() + "/token";
  CHECK(error("") == path + ": the file is empty");
  CHECK(error(" \n") == path + ": the file is empty");
  for (const std::string content :
       {"hush\nhush", "hush\r\nX-Header: hush", "hush\x01", "h\xC3\xBC"}) {
    CHECK(error(content) == path + ": the file must hold one line of printable ASCII");
  }
  CHECK(error(std::string(20001, 'x')) == "cannot read " + path + ": it has more than 20000 bytes");
  CHECK(contains(error(std::string(1 << 20, 'x')), "it has more than"));
  const auto missing = read_token_file(home.path() + "/none");
  REQUIRE(!missing);
  CHECK(missing.error() == "cannot read " + home.path() + "/none: No such file or directory");
  const auto folder = read_token_file(home.path());
  REQUIRE(!folder);
  CHECK(contains(folder.error(), "cannot read " + home.path() + ": "));
}

TEST_CASE("a named pipe that nobody writes to is not waited for") {
  TemporaryDirectory home;
  const std::string path = home.path() + "/pipe";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  const auto token = read_token_file(path);
  REQUIRE(!token);
  CHECK(contains(token.error(), path));
}

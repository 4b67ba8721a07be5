// What a command told a test.
#pragma once

#include <string>

namespace invlog::tests {

struct CommandAnswer {
  int exit_code;
  std::string out, err;
};

}  // namespace invlog::tests

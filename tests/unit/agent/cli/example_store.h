// A small store for the commands' tests: six calls, whose bodies and columns are different in every
// way that matters.
//
//   1  2026-10-05T14:00:00Z  Converse      nova     complete   200  alice  "Hello" -> "Hi"
//   2  2026-10-05T14:01:00Z  Converse      nova     complete   200  alice  "M\u00fcnchen" escaped
//   -> "Grüß dich" 3  2026-10-06T09:00:00Z  Converse      claude   complete   400  bob
//   ValidationException 4  2026-10-06T09:01:00Z  ConverseStream claude  client-closed 200 bob  cut
//   off 5  2026-10-07T00:00:00Z  InvokeModel   image    complete   200         bodies that are no
//   JSON 6  2026-10-07T00:00:01Z  Converse      nova     complete   200  alice  a body with line
//   ends
#pragma once

#include <string>

#include "agent/cli/store_access.h"
#include "tests/contains.h"
#include "tests/temporary_directory.h"

namespace invlog::tests {

class ExampleStore {
 public:
  ExampleStore();

  std::string path() const { return directory_.path() + "/eu-central-1.db"; }
  const TemporaryDirectory& directory() const { return directory_; }
  cli::StoreOptions options() const;
  // One more call, written as another run of the agent would.
  void append(const std::string& request_text, const std::string& details = "",
              const std::string& request_metadata = "", const std::string& request_id = "") const;

 private:
  TemporaryDirectory directory_;
};

inline constexpr const char* kSecondRequestId = "11111111-2222-4333-8444-000000000002";
inline const std::string kBinaryRequest{"\x00\xff\x01 raw", 7};

}  // namespace invlog::tests

// AWS's shared configuration format (~/.aws/config, ~/.aws/credentials): sections of `key = value`
// lines, with comments and nested values. Source: AWS SDKs and Tools Reference Guide, "Format of
// the shared config and credentials files"; botocore configloader.py.
//
// Pure; any thread. Errors: file:line and the cause, and never the line's text, which may hold a
// secret.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace invlog::aws {

struct SharedConfigValue {
  std::string value;
  int line = 0;  // 1-based
};

struct SharedConfigSection {
  int line = 0;                                                  // of its first header
  std::map<std::string, SharedConfigValue, std::less<>> values;  // keys in lower case
};

// Sections by the text between the brackets, white space collapsed and quotes removed: "default",
// "profile dev", "dev". A section given twice is one; of a key given twice the last counts. Nested
// lines (indented, below a key without a value) belong to settings that invlog does not read and
// are passed over.
using SharedConfigFile = std::map<std::string, SharedConfigSection, std::less<>>;
tl::expected<SharedConfigFile, std::string> parse_shared_config(std::string_view text,
                                                                const std::string& file_name);

}  // namespace invlog::aws

// The privacy filter on any body: what was JSON stays JSON, nothing is read out of bounds, and an
// address planted in a string of its own does not survive, however it is escaped.
//
// The first byte chooses the configuration and the form of the body; the rest is the body.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "agent/bedrock/json_text.h"
#include "agent/bedrock/privacy_filter.h"
#include "storage/json_writer.h"

namespace {

using namespace invlog;

constexpr std::string_view kSecret = "ada@example.org";

const bedrock::PrivacyFilter& filter(unsigned choice) {
  static const auto make = [](bool switches, bool paths) {
    config::PrivacyConfig configuration;
    configuration.redact = {"email", "iban", "phone", "payment-card", "aws-key", "bearer-token"};
    configuration.redact_patterns = {"[a-f]{3,}", "\\d\\\\?\\w"};
    if (paths) {
      configuration.redact_paths = {"$..a", "$[*].b[1]"};
    }
    configuration.text = configuration.image = configuration.embedding = !switches;
    return new bedrock::PrivacyFilter(configuration);
  };
  static const bedrock::PrivacyFilter* const filters[] = {make(false, false), make(false, true),
                                                          make(true, false), make(true, true)};
  return *filters[choice & 3];
}

void require(bool true_of_every_input) {
  if (!true_of_every_input) {
    std::abort();
  }
}

// `around` as a JSON string with the secret in its middle, in one string or over two chunks.
std::string planted(std::string_view around, bool split) {
  const std::string_view before = around.substr(0, around.size() / 2);
  std::string text = split ? "[{\"t\":\"" : "{\"t\":\"";
  storage::append_json_escaped(text, before);
  text += " ; ";
  text += kSecret.substr(0, 5);
  text += split ? "\"},{\"t\":\"" : "";
  text += "x\\u0061mple.org ; ";
  storage::append_json_escaped(text, around.substr(before.size()));
  return text + (split ? "\"}]" : "\"}");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const unsigned choice = data[0];
  storage::Record record;
  storage::Body& body = record.request;
  const bool plants = (choice & 4) != 0;
  body.bytes = plants ? planted(input, (choice & 8) != 0) : std::string(input);
  body.is_json = bedrock::JsonText().parse(body.bytes);
  const bool was_json = body.is_json;
  record.response = body;
  record.stream = (choice & 16) != 0;
  record.details = record.request_metadata = was_json ? body.bytes : "";
  filter(choice).apply(record);
  if (was_json) {
    require(body.is_json);
    for (const std::string* text : {&body.bytes, &record.details, &record.request_metadata}) {
      require(text->empty() || bedrock::JsonText().parse(*text));
    }
  }
  const bool own = input.find("ada@e") != std::string_view::npos;
  require(!plants || own || body.bytes.find("ada@e") == std::string::npos);
  return 0;
}

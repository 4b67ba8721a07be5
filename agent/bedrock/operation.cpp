#include "agent/bedrock/operation.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "agent/bedrock/label_text.h"

namespace invlog::bedrock {
namespace {

constexpr std::array<std::pair<std::string_view, Operation>, 5> kModelOperations = {{
    {"converse", Operation::converse},
    {"converse-stream", Operation::converse_stream},
    {"invoke", Operation::invoke_model},
    {"invoke-with-response-stream", Operation::invoke_model_with_response_stream},
    {"invoke-with-bidirectional-stream", Operation::invoke_model_with_bidirectional_stream},
}};

int hex_value(char digit) {
  if (digit >= '0' && digit <= '9') {
    return digit - '0';
  }
  if (digit >= 'a' && digit <= 'f') {
    return digit - 'a' + 10;
  }
  if (digit >= 'A' && digit <= 'F') {
    return digit - 'A' + 10;
  }
  return -1;
}

// A '%' that no two hexadecimal digits follow stays as it is: the service is the judge of it, and
// the record shows what was sent.
std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '%' && text.size() - at > 2) {
      const int high = hex_value(text[at + 1]);
      const int low = hex_value(text[at + 2]);
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        at += 2;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

// A model id is printed, stored as text and written into JSON, so one that decodes to control
// characters or to something that is not UTF-8 stays encoded, or becomes so.
std::string decode_model_id(std::string_view text) {
  std::string decoded = percent_decode(text);
  return is_printable_text(decoded) ? decoded : percent_encoded(text);
}

bool means(std::string_view segment, std::string_view plain) {
  return segment == plain ||
         (segment.find('%') != std::string_view::npos && percent_decode(segment) == plain);
}

// What stands between the slashes of a target's path, as received, without empty ones and dot
// segments. Encoded letters mean the same as plain ones (RFC 3986 §6.2.2): spelling a path oddly
// must not keep a call off the record.
std::vector<std::string_view> segments_of(std::string_view target) {
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  std::vector<std::string_view> segments;
  segments.reserve(8);
  while (!path.empty()) {
    const std::string_view segment = path.substr(0, std::min(path.find('/'), path.size()));
    path.remove_prefix(std::min(segment.size() + 1, path.size()));
    if (means(segment, "..")) {
      if (!segments.empty()) {
        segments.pop_back();
      }
    } else if (!segment.empty() && !means(segment, ".")) {
      segments.push_back(segment);
    }
  }
  return segments;
}

// The segments of a target's path after encoded slashes, too, became plain ones.
std::vector<std::string> plain_segments_of(std::string_view target) {
  const std::string path = percent_decode(target.substr(0, target.find_first_of("?#")));
  const std::vector<std::string_view> segments = segments_of(path);
  return {segments.begin(), segments.end()};
}

// An ARN with raw slashes spreads over several segments.
std::string model_id_of(const std::vector<std::string_view>& segments, std::size_t end) {
  std::string id(segments[1]);
  for (std::size_t at = 2; at < end; ++at) {
    id.append("/").append(segments[at]);
  }
  return decode_model_id(id);
}

}  // namespace

std::optional<Target> parse_target(std::string_view method, std::string_view target) {
  if (method != "POST") {
    return std::nullopt;
  }
  if (target.empty() || target.front() != '/') {
    return std::nullopt;
  }
  const std::vector<std::string_view> segments = segments_of(target);
  if (segments.size() > 2 && means(segments.front(), "model")) {
    for (const auto& [name, operation] : kModelOperations) {
      if (means(segments.back(), name)) {
        return Target{operation, model_id_of(segments, segments.size() - 1)};
      }
    }
    return std::nullopt;
  }
  std::string path;
  for (const std::string_view segment : segments) {
    path += '/';
    path += percent_decode(segment);
  }
  if (path == "/openai/v1/chat/completions") {
    return Target{Operation::chat_completions, ""};
  }
  if (path == "/openai/v1/responses") {
    return Target{Operation::responses, ""};
  }
  return std::nullopt;
}

std::optional<std::string> model_in_target(std::string_view target) {
  const std::vector<std::string_view> segments = segments_of(target);
  if (segments.size() < 2 || !means(segments.front(), "model")) {
    return std::nullopt;
  }
  // What is done is the last.
  return model_id_of(segments, segments.size() > 2 ? segments.size() - 1 : 2);
}

bool is_async_invoke(std::string_view target) {
  return plain_segments_of(target) == std::vector<std::string>{"async-invoke"};
}

bool is_without_model(std::string_view target) {
  const std::vector<std::string> segments = plain_segments_of(target);
  if (segments == std::vector<std::string>{"guardrail-checks", "invoke"}) {
    return true;
  }
  // /guardrail/{id or ARN}/version/{version}/apply
  return segments.size() >= 5 && segments.front() == "guardrail" &&
         segments[segments.size() - 3] == "version" && segments.back() == "apply";
}

std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::converse:
      return "Converse";
    case Operation::converse_stream:
      return "ConverseStream";
    case Operation::invoke_model:
      return "InvokeModel";
    case Operation::invoke_model_with_response_stream:
      return "InvokeModelWithResponseStream";
    case Operation::chat_completions:
      return "ChatCompletions";
    case Operation::responses:
      return "Responses";
    case Operation::invoke_model_with_bidirectional_stream:
      return "InvokeModelWithBidirectionalStream";
  }
  return "";
}

}  // namespace invlog::bedrock

#include "exporters/aws/process_credentials.h"

#include <algorithm>
#include <utility>

#include "exporters/aws/child_process.h"
#include "exporters/aws/credential_json.h"
#include "exporters/aws/message_text.h"

namespace invlog::aws {
namespace {

constexpr std::size_t kLongestErrors = 500;

bool is_key_character(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '+' || byte == '/' || byte == '=' || byte == '_';
}

// Whether it could be a key: long, and of the mixture that words and paths are not.
bool looks_secret(std::string_view word) {
  const auto has = [word](char first, char last) {
    return std::any_of(word.begin(), word.end(),
                       [=](char byte) { return byte >= first && byte <= last; });
  };
  return word.size() >= 16 && has('A', 'Z') && has('0', '9') &&
         (has('a', 'z') || word.starts_with("AKIA") || word.starts_with("ASIA"));
}

// A program may print on standard error what belongs on standard output.
std::string without_keys(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = std::find_if_not(text.begin(), text.end(), is_key_character);
    const auto length = static_cast<std::size_t>(end - text.begin());
    const std::string_view word = text.substr(0, length);
    out.append(looks_secret(word) ? std::string_view("[hidden]") : word);
    text.remove_prefix(length);
    if (!text.empty()) {
      out += text.front();
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace

ProcessCredentials::ProcessCredentials(const ChainOptions& options, std::string owner,
                                       std::string command)
    : options_(options), owner_(std::move(owner)), command_(std::move(command)) {}

ProvideResult ProcessCredentials::provide() {
  const auto failed = [this](const std::string& why) {
    return tl::unexpected(owner_ + ": credential_process: " + why);
  };
  const auto arguments = split_command(command_);
  if (!arguments) {
    return failed(arguments.error());
  }
  ChildLimits limits;
  limits.timeout = options_.process_timeout;
  limits.cancelled = options_.cancelled;
  const auto child = run_child(*arguments, limits);
  if (!child) {
    return failed(child.error());
  }
  const std::string& program = arguments->front();
  if (child->exit_code != 0) {
    const std::string errors = one_line(without_keys(child->errors), kLongestErrors);
    return failed(program + " ended with code " + std::to_string(child->exit_code) +
                  (errors.empty() ? "" : ": " + errors));
  }
  auto credentials = parse_credential_json(child->output, CredentialJsonForm::process);
  if (!credentials) {
    return failed("the output of " + program + ": " + credentials.error());
  }
  credentials->source = owner_ + ": credential_process " + program;
  return std::move(*credentials);
}

}  // namespace invlog::aws
